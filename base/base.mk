# SPDX-License-Identifier: BSD-3-Clause
base_SRCS := base/bdf.c base/bitmap.c base/io.c base/log.c base/loop.c base/parse.c base/range.c
base_SRCS += base/xxh64.c base/rpc.c base/state.c base/sysfs.c
base_SRCS += base/cpuset.c base/deadline.c
base_SRCS += base/http_text.c
