# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For tests/vm/wire.sh: a machine whose clock goes by the instructions that it ran, 2 ns each, and by
# the world's where it idles. Sourced by scripts/check-vm.
# shellcheck disable=SC2034 # check-vm's

processor=(-accel 'tcg,thread=single' -icount 'shift=1,sleep=on' -cpu max -smp 1)
