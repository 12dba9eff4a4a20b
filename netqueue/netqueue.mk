# SPDX-License-Identifier: BSD-3-Clause
netqueue_SRCS := netqueue/capture.c
netqueue_SRCS += netqueue/eal.c
netqueue_SRCS += netqueue/fdb.c
netqueue_SRCS += netqueue/flow.c
netqueue_SRCS += netqueue/forward.c
netqueue_SRCS += netqueue/lacp.c
netqueue_SRCS += netqueue/names.c
netqueue_SRCS += netqueue/port.c
netqueue_SRCS += netqueue/port_bond.c
netqueue_SRCS += netqueue/port_ethdev.c
netqueue_SRCS += netqueue/port_ring.c
netqueue_SRCS += netqueue/port_vhost.c
netqueue_SRCS += netqueue/port_vtep.c
netqueue_SRCS += netqueue/port_vxlan.c
netqueue_SRCS += netqueue/security.c
netqueue_SRCS += netqueue/switch.c
netqueue_SRCS += netqueue/view.c
netqueue_SRCS += netqueue/worker.c
netqueue_SRCS += netqueue/xdp_sockets.c

# DPDK is seen by this folder and its tests alone; its headers are not held to our warnings.
DPDK_CFLAGS := $(shell $(PKG_CONFIG) --cflags libdpdk 2>/dev/null | sed 's/-I/-isystem /g')
DPDK_LIBS := $(shell $(PKG_CONFIG) --libs libdpdk 2>/dev/null)
$(O)/netqueue/%.o $(O)/tests/netqueue/%.o $(O)/bench/switch_cycles.o: ALL_CFLAGS += $(DPDK_CFLAGS)
# The thread sanitizer sees neither DPDK's assembler nor its bare compiler barriers: ask for builtins.
ifeq ($(SAN),thread)
DPDK_CFLAGS += -DRTE_FORCE_INTRINSICS -DRTE_USE_C11_MEM_MODEL
endif
