# SPDX-License-Identifier: BSD-3-Clause
# sluice: the command; sluice-vmm: one process per VM.
cli_SRCS :=
vmm_SRCS :=
