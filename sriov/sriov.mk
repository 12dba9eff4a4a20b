# SPDX-License-Identifier: BSD-3-Clause
sriov_SRCS := sriov/context.c sriov/pf.c sriov/vf.c sriov/numvfs.c sriov/netlink.c sriov/attrs.c
sriov_SRCS += sriov/bind.c sriov/slow.c sriov/ledger.c sriov/claim.c sriov/holder.c sriov/lock.c
sriov_SRCS += sriov/owner.c sriov/module.c
sriov_SRCS += sriov/attr.c
sriov_SRCS += sriov/chan_devlink.c
sriov_SRCS += sriov/chan_msix.c
sriov_SRCS += sriov/chan_nvme.c
sriov_SRCS += sriov/chan_rtnl.c
sriov_SRCS += sriov/channel.c
sriov_SRCS += sriov/config_space.c
sriov_SRCS += sriov/devlink.c
sriov_SRCS += sriov/eswitch.c
sriov_SRCS += sriov/facts.c
sriov_SRCS += sriov/identity.c
sriov_SRCS += sriov/nltalk.c
sriov_SRCS += sriov/nvme.c
sriov_SRCS += sriov/nvme_pf.c
sriov_SRCS += sriov/profile.c
sriov_SRCS += sriov/resource.c
sriov_SRCS += sriov/change.c sriov/journal.c sriov/plan.c sriov/repair.c sriov/sql.c sriov/step.c
sriov_SRCS += sriov/link.c sriov/pool.c sriov/wish.c sriov/work.c

$(O)/sriov/%.o: ALL_CFLAGS += $(shell $(PKG_CONFIG) --cflags libnl-route-3.0 | sed s/-I/-isystem/)
