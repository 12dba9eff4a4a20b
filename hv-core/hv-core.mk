# SPDX-License-Identifier: BSD-3-Clause
hv-core_SRCS :=
