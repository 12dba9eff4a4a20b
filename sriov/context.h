/* SPDX-License-Identifier: BSD-3-Clause */
/* context: what every file of this folder hangs on, and the small reads they share. */
#ifndef SRIOV_CONTEXT_H
#define SRIOV_CONTEXT_H

#include "sriov/ledger.h"
#include "sriov/sriov.h"

struct pci_access;

struct sriov {
	struct sysfs fs;
	struct pci_access *names; /* libpci, for its table of names only */
	char *state_dir, *run_dir, *root;
	const struct sriov_resource_driver *resource; /* or NULL */
	unsigned slow_ms;			      /* deadline of slow_write() */
	int lock;	       /* of the PF that is being changed, -1: none; see lock.h */
	struct ledger *ledger; /* opened at first need: listing PFs takes no privilege */
};

/* The ledger, opened. Logs. */
int context_ledger(struct sriov *ctx, struct ledger **out);

/* Which boot of the machine this is. */
#define CONTEXT_BOOT 40
void context_boot(char boot[CONTEXT_BOOT]);

/* Makes DIR and its parents (mode 0755). */
int context_make_dir(const char *dir);

/* Name of the driver of `dev`, "" for none. */
int context_driver(const struct sriov *ctx, const char *dev, char driver[SRIOV_DRIVER]);
/* -1: none. */
int context_group(const struct sriov *ctx, const char *dev);
/* First network interface of `dev`, "" for none. */
void context_ifname(const struct sriov *ctx, const char *dev, char ifname[SRIOV_NAME]);
/* vfio-pci or one of its variants. */
bool context_is_vfio(const char *driver);

#endif
