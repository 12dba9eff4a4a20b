/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bind: which driver has a function.
 *
 * driver_override names the only driver that may match; drivers_probe then makes the kernel look
 * (Documentation/ABI/testing/sysfs-bus-pci). The driver's own bind file would refuse with ENODEV
 * where sriov_drivers_autoprobe was 0, and new_id would catch every device of the kind. An
 * override is cleared by writing a newline: an empty write does nothing. Neither write says
 * whether a driver took the function, so that is read afterwards.
 */
#include "sriov/bind.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "sriov/holder.h"
#include "sriov/module.h"
#include "sriov/slow.h"

static bool has_driver(const struct sriov *ctx, const char *driver)
{
	return sysfs_exists(&ctx->fs, "bus/pci/drivers/%s", driver);
}

static int need_driver(const struct sriov *ctx, const char *dev, const char *driver)
{
	if (!*driver || strchr(driver, '/') || *driver == '.')
		return log_fail(-EINVAL, dev, "'%s' is no driver's name", driver);
	if (!has_driver(ctx, driver))
		module_load(driver);
	if (!has_driver(ctx, driver))
		return log_fail(-ENOENT, dev,
				"not bound to %s: the kernel has no such PCI driver; `modprobe %s` "
				"tells why",
				driver, driver);
	/* vfio-pci alone opens nothing: the container's backend is a module of its own. */
	if (context_is_vfio(driver) && !sysfs_exists(&ctx->fs, "module/vfio_iommu_type1"))
		module_load("vfio_iommu_type1");
	return 0;
}

/* "" for none; the kernel shows an unset one as "(null)". */
static void read_override(const struct sriov *ctx, const char *dev, char text[SRIOV_DRIVER])
{
	if (sysfs_read(&ctx->fs, text, SRIOV_DRIVER, "bus/pci/devices/%s/driver_override", dev) ||
	    !strcmp(text, "(null)"))
		text[0] = '\0';
}

static int write_override(const struct sriov *ctx, const char *dev, const char *driver)
{
	int err = sysfs_write(&ctx->fs, *driver ? driver : "\n",
			      "bus/pci/devices/%s/driver_override", dev);

	return err ? log_fail(err, dev, "driver_override not written: %s", strerror(-err)) : 0;
}

static int explain_slow(const struct sriov *ctx, const char *dev, const char *what, int err)
{
	char who[HOLDER_TEXT];

	if (err != -ETIMEDOUT)
		return log_fail(err, dev, "%s failed: %s", what, strerror(-err));
	return log_fail(err, dev,
			"%s has blocked in the kernel for %u s: its IOMMU group is open in %s; end "
			"that process and it goes on by itself",
			what, ctx->slow_ms / 1000, holders_words(context_group(ctx, dev), who));
}

static int unbind(const struct sriov *ctx, const char *dev)
{
	int err = slow_write(ctx, dev, "bus/pci/devices/%s/driver/unbind", dev);

	if (err == -ENOENT || err == -ENODEV) /* unbound meanwhile */
		return 0;
	return err ? explain_slow(ctx, dev, "unbinding its driver", err) : 0;
}

/* Makes the kernel look for a driver; `driver` must be the one found. */
static int probe(const struct sriov *ctx, const char *dev, const char *driver)
{
	char now[SRIOV_DRIVER] = "";
	int err = slow_write(ctx, dev, "bus/pci/drivers_probe");

	if (err)
		return explain_slow(ctx, dev, "probing for a driver", err);
	err = context_driver(ctx, dev, now);
	if (err)
		return log_fail(err, dev, "gone: %s", strerror(-err));
	if (strcmp(now, driver))
		return log_fail(-EIO, dev,
				"%s did not take it (it has %s); the last lines of dmesg say why",
				driver, *now ? now : "no driver");
	return 0;
}

/* From whatever it has to `driver`, by the override. */
static int move(const struct sriov *ctx, const char *dev, const char *driver)
{
	char now[SRIOV_DRIVER] = "";
	int err = write_override(ctx, dev, driver);

	if (!err)
		err = context_driver(ctx, dev, now);
	if (!err && *now && strcmp(now, driver))
		err = unbind(ctx, dev);
	if (!err && strcmp(now, driver))
		err = probe(ctx, dev, driver);
	return err;
}

/* After a move that failed: the driver it had, and the override it had. */
static void move_back(const struct sriov *ctx, const char *dev, const char *driver,
		      const char *override)
{
	if (*driver && move(ctx, dev, driver))
		log_error(dev,
			  "is without its driver %s now; when the cause is gone, `echo %s > "
			  "/sys/bus/pci/drivers_probe` brings it back",
			  driver, dev);
	write_override(ctx, dev, override);
}

static int read_driver(const struct sriov *ctx, const char *dev, char driver[SRIOV_DRIVER])
{
	int err = context_driver(ctx, dev, driver);

	return err ? log_fail(err, dev, "no such PCI device") : 0;
}

int sriov_bind(struct sriov *ctx, struct bdf bdf, const char *driver, char *previous)
{
	char dev[BDF_TEXT], before[SRIOV_DRIVER], override[SRIOV_DRIVER];
	int err = read_driver(ctx, bdf_format(bdf, dev), before);

	if (err)
		return err;
	if (previous)
		memcpy(previous, before, sizeof(before));
	if (!strcmp(before, driver))
		return 0;
	err = need_driver(ctx, dev, driver);
	if (err)
		return err;
	read_override(ctx, dev, override);
	err = move(ctx, dev, driver);
	/* While the kernel still blocks, every further write would block as well. */
	if (err && err != -ETIMEDOUT)
		move_back(ctx, dev, before, override);
	return err;
}

int sriov_rebind(struct sriov *ctx, struct bdf bdf, const char *driver)
{
	char dev[BDF_TEXT], now[SRIOV_DRIVER];
	int err = read_driver(ctx, bdf_format(bdf, dev), now);

	if (!err && *driver && strcmp(now, driver)) {
		err = need_driver(ctx, dev, driver);
		if (!err)
			err = move(ctx, dev, driver);
	} else if (!err && !*driver && *now) {
		err = unbind(ctx, dev);
	}
	if (err)
		return err;
	/* vfio-pci matches nothing but by override; clearing it would not unbind, only surprise. */
	return context_is_vfio(driver) ? 0 : write_override(ctx, dev, "");
}

int bind_default(struct sriov *ctx, struct bdf bdf)
{
	char dev[BDF_TEXT], now[SRIOV_DRIVER], alias[256];
	int err = read_driver(ctx, bdf_format(bdf, dev), now);

	for (unsigned attempt = 0; attempt < 2 && !err && !*now; attempt++) {
		/* The second time with its module: udev may not run, or still be at it. */
		if (attempt &&
		    sysfs_read(&ctx->fs, alias, sizeof(alias), "bus/pci/devices/%s/modalias", dev))
			break;
		if (attempt)
			module_load(alias);
		err = slow_write(ctx, dev, "bus/pci/drivers_probe");
		if (err)
			return explain_slow(ctx, dev, "probing for a driver", err);
		err = read_driver(ctx, dev, now);
	}
	return err;
}

int bind_scrub(struct sriov *ctx, struct bdf bdf)
{
	char dev[BDF_TEXT];

	if (!sysfs_exists(&ctx->fs, "bus/pci/devices/%s/reset", bdf_format(bdf, dev)))
		return -ENOTTY;
	int err = slow_write(ctx, "1", "bus/pci/devices/%s/reset", dev);
	return err ? explain_slow(ctx, dev, "resetting it", err) : 0;
}
