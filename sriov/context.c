/* SPDX-License-Identifier: BSD-3-Clause */
/* context: opens what the other files work on, and offers the reads that several of them need. */
#include "sriov/context.h"

#include <errno.h>
#include <fcntl.h>
#include <pci/pci.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "sriov/repair.h"
#include "sriov/slow.h"

/* libpci tells of its search for a name that is not in its table through these, which pci_init()
 * would have set. A name that is not found is a number. */
static void ignore(char *fmt, ...)
{
	(void)fmt;
}

static struct pci_access *open_names(void)
{
	/* Not pci_init(): that scans the bus, which sysfs below our own root tells better. */
	struct pci_access *names = pci_alloc();

	if (names) {
		names->warning = ignore;
		names->debug = ignore;
	}
	return names;
}

int sriov_open(const struct sriov_config *config, struct sriov **out)
{
	struct sriov *ctx = calloc(1, sizeof(*ctx));

	if (!ctx)
		return -ENOMEM;
	ctx->fs.root = -1;
	ctx->lock = -1;
	ctx->slow_ms = SLOW_MS;
	ctx->state_dir = strdup(config->state_dir);
	ctx->run_dir = strdup(config->run_dir);
	ctx->root = strdup(config->root ? config->root : "/");
	ctx->names = open_names();
	int err = ctx->state_dir && ctx->run_dir && ctx->root && ctx->names ? 0 : -ENOMEM;
	if (!err) {
		err = sysfs_open(&ctx->fs, config->sysfs);
		if (err)
			log_error(config->sysfs, "not opened: %s", strerror(-err));
	}
	if (err) {
		sriov_close(ctx);
		return err;
	}
	*out = ctx;
	return 0;
}

void sriov_close(struct sriov *ctx)
{
	if (!ctx)
		return;
	ledger_close(ctx->ledger);
	if (ctx->names)
		pci_cleanup(ctx->names);
	sysfs_close(&ctx->fs);
	free(ctx->state_dir);
	free(ctx->run_dir);
	free(ctx->root);
	free(ctx);
}

int context_make_dir(const char *dir)
{
	char path[4096];

	if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
		return log_fail(-ENAMETOOLONG, dir, "too long a path");
	for (char *slash = path; slash;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return log_fail(-errno, path, "directory not made: %m%s",
					errno == EACCES ? "; run as root" : "");
		if (slash)
			*slash = '/';
	}
	return 0;
}

void context_boot(char boot[CONTEXT_BOOT])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, boot, CONTEXT_BOOT - 1);

	io_close(&fd);
	boot[n < 0 ? 0 : n] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
}

int context_driver(const struct sriov *ctx, const char *dev, char driver[SRIOV_DRIVER])
{
	int err = sysfs_link_name(&ctx->fs, driver, SRIOV_DRIVER, "bus/pci/devices/%s/driver", dev);

	if (!err)
		return 0;
	driver[0] = '\0';
	if (err == -ENOENT && sysfs_exists(&ctx->fs, "bus/pci/devices/%s", dev))
		return 0;
	return err == -ENOENT ? -ENODEV : err;
}

int context_group(const struct sriov *ctx, const char *dev)
{
	char text[16];
	uint32_t id;

	if (sysfs_link_name(&ctx->fs, text, sizeof(text), "bus/pci/devices/%s/iommu_group", dev) ||
	    parse_u32(text, 0, INT32_MAX, &id))
		return -1;
	return (int)id;
}

static int take_first(const char *name, void *opaque)
{
	if (strlen(name) >= SRIOV_NAME)
		return 0;
	strcpy(opaque, name);
	return 1;
}

void context_ifname(const struct sriov *ctx, const char *dev, char ifname[SRIOV_NAME])
{
	ifname[0] = '\0';
	/* No directory: no network driver. */
	sysfs_list(&ctx->fs, take_first, ifname, "bus/pci/devices/%s/net", dev);
}

bool context_is_vfio(const char *driver)
{
	size_t n = strlen(driver);

	return n >= 8 &&
	       (!strcmp(driver + n - 8, "vfio-pci") || !strcmp(driver + n - 8, "vfio_pci"));
}

int context_ledger(struct sriov *ctx, struct ledger **out)
{
	int err = 0;

	if (!ctx->ledger) {
		err = context_make_dir(ctx->state_dir);
		if (!err)
			err = ledger_open(ctx->state_dir, &ctx->ledger);
		if (err == -EUCLEAN)
			err = repair_rebuild(ctx);
	}
	*out = ctx->ledger;
	return err;
}
