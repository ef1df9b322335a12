# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For tests/vm/speed.sh: 64 cameras outside the machine that make their keys at once.
# Sourced by scripts/check-vm.
# shellcheck disable=SC2154 # folder is check-vm's

# shellcheck source=tests/vm/redir_cameras.bash
. tests/vm/redir_cameras.bash
attach_redir_cameras "$folder" 64
