# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For tests/vm/redir.sh: 68 cameras outside the machine, at five xHCI controllers. Sourced by
# scripts/check-vm.
# shellcheck disable=SC2154 # folder is check-vm's

# shellcheck source=tests/vm/redir_cameras.bash
. tests/vm/redir_cameras.bash
attach_redir_cameras "$folder" 68 --replug-ms 500 --key-time 50 \
    --fault 5:unplug-at=commit-answered \
    --fault 64:swap-with=65@read-answered --fault 66:unplug-at=commit-answered \
    --fault 67:crash-at=each-commit
