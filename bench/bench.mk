# SPDX-License-Identifier: BSD-3-Clause
# Flows and what is made of their numbers; sluice-work, which does them in a guest.
bench_SRCS := bench/flow.c bench/hdr.c bench/peer.c bench/sample.c
work_SRCS := bench/guest/work.c bench/flow.c bench/hdr.c
