/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_kernel: see fake_kernel.h. */
#include "tests/fakes/fake_kernel.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sriov/holder.h"
#include "sriov/netlink.h"

int __real_sysfs_write(const struct sysfs *fs, const char *text, const char *fmt, ...);
int __wrap_sysfs_write(const struct sysfs *fs, const char *text, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int __real_sqlite3_step(sqlite3_stmt *stmt);
int __wrap_sqlite3_step(sqlite3_stmt *stmt);
int __wrap_holders_scan(const char *proc, struct holders *out);

struct fake_kernel *fake_kernel(void)
{
	static struct fake_kernel *kernel;

	if (!kernel)
		kernel = mmap(NULL, sizeof(*kernel), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (kernel == MAP_FAILED)
		abort();
	return kernel;
}

/* What a card knows of a VF that was just made. */
static const struct sriov_attrs fresh = {
	.set = SRIOV_MAC | SRIOV_VLAN | SRIOV_SPOOF | SRIOV_TRUST | SRIOV_RATE | SRIOV_LINK_STATE |
	       SRIOV_RSS_QUERY,
	.spoof_check = true,
};

void fake_kernel_reset(void)
{
	struct fake_kernel *k = fake_kernel();

	memset(k, 0, sizeof(*k));
	k->holder_group = -1;
	k->words = "";
	for (unsigned i = 0; i < FAKE_VFS; i++)
		k->vf[i] = k->vf2[i] = fresh;
}

static void step(void)
{
	struct fake_kernel *k = fake_kernel();

	if (!k->kill_at || --k->kill_at)
		return;
	kill(k->victim, SIGKILL);
	_exit(0); /* a child that writes for the victim */
}

/* ---- sysfs ---- */

static int read_number(const struct sysfs *fs, const char *dev, const char *file)
{
	uint64_t value = 0;

	sysfs_read_u64(fs, &value, "bus/pci/devices/%s/%s", dev, file);
	return (int)value;
}

static int probe(const struct sysfs *fs, const char *dev)
{
	char driver[64], override[64];

	if (sysfs_exists(fs, "bus/pci/devices/%s/driver", dev))
		return 0;
	if (sysfs_read(fs, driver, sizeof(driver), "bus/pci/devices/%s/matches", dev))
		return -ENODEV;
	sysfs_read(fs, override, sizeof(override), "bus/pci/devices/%s/driver_override", dev);
	uint64_t probes =
		1; /* of its PF: without an override, drivers/pci/pci-driver.c asks that */
	sysfs_read_u64(fs, &probes, "bus/pci/devices/%s/physfn/sriov_drivers_autoprobe", dev);
	if (strcmp(override, "(null)"))
		strcpy(driver, override);
	else if (!probes)
		return 0;
	if (*driver && strcmp(driver, fake_kernel()->refuses) &&
	    sysfs_exists(fs, "bus/pci/drivers/%s", driver))
		fake_bind(fs, dev, driver);
	return 0;
}

static struct sriov_attrs *stored(const char *pf)
{
	return !strcmp(pf, FAKE_PF2) ? fake_kernel()->vf2 : fake_kernel()->vf;
}

/* "0000:01:10.0" is the first of "0000:01:00.0": First VF Offset 128, VF Stride 1. */
static void vf_address(const char *pf, int index, char dev[32])
{
	unsigned bus = (unsigned)strtoul(pf + 5, NULL, 16);
	unsigned rid = (bus << 8) + 128 + (unsigned)index;

	snprintf(dev, 32, "0000:%02x:%02x.%x", rid >> 8, rid >> 3 & 31, rid & 7);
}

static int vf_group(const char *pf, int index)
{
	return (!strcmp(pf, FAKE_PF2) ? 2020 : 20) + index;
}

static void make_vf(const struct sysfs *fs, const char *pf, int index)
{
	char dev[32], target[64];

	vf_address(pf, index, dev);
	fake_device(fs, dev, vf_group(pf, index), "igbvf");
	if (!read_number(fs, pf, "sriov_drivers_autoprobe"))
		fake_unlink(fs, "bus/pci/devices/%s/driver", dev);
	fake_put(fs, "", "bus/pci/devices/%s/reset", dev);
	snprintf(target, sizeof(target), "../%s", pf);
	fake_link(fs, target, "bus/pci/devices/%s/physfn", dev);
	snprintf(target, sizeof(target), "../%s", dev);
	fake_link(fs, target, "bus/pci/devices/%s/virtfn%d", pf, index);
	stored(pf)[index] = fresh;
}

static void remove_vf(const struct sysfs *fs, const char *pf, int index)
{
	char path[128], dev[32];

	vf_address(pf, index, dev);
	snprintf(path, sizeof(path), "bus/pci/devices/%s", dev);
	fake_remove(fs, "%s", path);
	snprintf(path, sizeof(path), "kernel/iommu_groups/%d", vf_group(pf, index));
	fake_remove(fs, "%s", path);
	fake_unlink(fs, "bus/pci/devices/%s/virtfn%d", pf, index);
}

void fake_reboot(const struct sysfs *fs, const char *pf)
{
	for (int i = 0, n = read_number(fs, pf, "sriov_numvfs"); i < n; i++)
		remove_vf(fs, pf, i);
	fake_put(fs, "0\n", "bus/pci/devices/%s/sriov_numvfs", pf);
	fake_put(fs, "1\n", "bus/pci/devices/%s/sriov_drivers_autoprobe", pf);
}

/* drivers/pci/iov.c, sriov_numvfs_store() */
static int set_numvfs(const struct sysfs *fs, const char *dev, int wanted)
{
	struct fake_kernel *k = fake_kernel();
	int now = read_number(fs, dev, "sriov_numvfs");
	char text[16];

	if (wanted > read_number(fs, dev, "sriov_totalvfs"))
		return -ERANGE;
	while (!strcmp(k->numvfs_blocks, dev))
		usleep(10000);
	if (wanted && k->vanishes) {
		char path[128];
		snprintf(path, sizeof(path), "bus/pci/devices/%s", dev);
		fake_remove(fs, "%s", path);
		return -ENODEV;
	}
	if (wanted == now)
		return 0;
	if (wanted > k->numvfs_error_above && k->numvfs_error)
		return k->numvfs_error;
	if (wanted && now)
		return -EBUSY;
	if (wanted && k->vfs_at_most && wanted > (int)k->vfs_at_most)
		wanted = (int)k->vfs_at_most;
	for (int i = 0; i < wanted; i++)
		make_vf(fs, dev, i);
	for (int i = wanted; i < now; i++)
		remove_vf(fs, dev, i);
	snprintf(text, sizeof(text), "%d\n", wanted);
	fake_put(fs, text, "bus/pci/devices/%s/sriov_numvfs", dev);
	k->made = (unsigned)wanted;
	return 0;
}

static int act(const struct sysfs *fs, const char *text, const char *path)
{
	char dev[64] = "", file[64] = "";
	int err;

	if (fake_kernel()->more && fake_kernel()->more(fs, text, path, &err))
		return err;
	if (!strcmp(path, "bus/pci/drivers_probe"))
		return probe(fs, text);
	if (sscanf(path, "bus/pci/devices/%63[^/]/%63s", dev, file) != 2)
		return -ENOENT;
	if (!strcmp(file, "driver/unbind")) {
		while (fake_kernel()->blocks)
			usleep(10000);
		if (!sysfs_exists(fs, "bus/pci/devices/%s/driver", dev))
			return -ENOENT;
		fake_unlink(fs, "bus/pci/devices/%s/driver", dev);
		return 0;
	}
	if (!strcmp(file, "reset")) {
		fake_kernel()->resets++;
		return __real_sysfs_write(fs, text, "%s", path);
	}
	if (!strcmp(file, "sriov_numvfs"))
		return set_numvfs(fs, dev, atoi(text));
	if (!strcmp(file, "driver_override") && !strcmp(text, "\n"))
		text = "(null)";
	return __real_sysfs_write(fs, text, "%s", path);
}

int __wrap_sysfs_write(const struct sysfs *fs, const char *text, const char *fmt, ...)
{
	char path[SYSFS_PATH];
	va_list args;

	va_start(args, fmt);
	vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	step();
	if (strstr(path, "driver_override")) /* a regular file keeps the tail of a longer text */
		fake_put(fs, "", "%s", path);
	int err = act(fs, text, path);
	step();
	return err;
}

/* ---- the ledger's writes, /proc, rtnetlink ---- */

int __wrap_sqlite3_step(sqlite3_stmt *stmt)
{
	struct fake_kernel *k = fake_kernel();

	step();
	if (k->sql_fails_at && !--k->sql_fails_at)
		return k->sql_error;
	int rc = __real_sqlite3_step(stmt);
	step();
	return rc;
}

int __wrap_holders_scan(const char *proc, struct holders *out)
{
	const struct fake_kernel *k = fake_kernel();

	(void)proc;
	*out = (struct holders){.complete = !k->blind};
	if (k->holder_group < 0)
		return 0;
	out->list = calloc(1, sizeof(*out->list));
	if (!out->list)
		return -ENOMEM;
	out->count = 1;
	out->list[0] = (struct holder){.group = k->holder_group, .pid = 1, .comm = "stranger"};
	return 0;
}

int netlink_vf_read(const char *ifname, struct sriov_attrs *out, size_t count, uint8_t permanent[6])
{
	static const uint8_t address[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

	bool second = !strcmp(ifname, FAKE_IF2);
	if (!second && strcmp(ifname, FAKE_IF))
		return -ENODEV;
	memcpy(permanent, address, sizeof(address));
	for (size_t i = 0; i < count && i < FAKE_VFS; i++)
		out[i] = second ? fake_kernel()->vf2[i] : fake_kernel()->vf[i];
	return 0;
}

static void store(struct sriov_attrs *vf, enum sriov_attr attr, const struct sriov_attrs *from)
{
	switch (attr) {
	case SRIOV_MAC:
		memcpy(vf->mac, from->mac, sizeof(vf->mac));
		break;
	case SRIOV_VLAN:
		vf->vlan = from->vlan;
		vf->qos = from->qos;
		vf->vlan_proto = from->vlan_proto;
		break;
	case SRIOV_SPOOF:
		vf->spoof_check = from->spoof_check;
		break;
	case SRIOV_TRUST:
		vf->trust = from->trust;
		break;
	case SRIOV_RATE:
		vf->min_rate = from->min_rate;
		vf->max_rate = from->max_rate;
		break;
	case SRIOV_LINK_STATE:
		vf->link_state = from->link_state;
		break;
	case SRIOV_RSS_QUERY:
		vf->rss_query = from->rss_query;
		break;
	default:
		abort(); /* not rtnetlink's */
	}
}

int netlink_vf_write(const char *ifname, unsigned index, enum sriov_attr attr,
		     const struct sriov_attrs *attrs, char words[NETLINK_WORDS])
{
	struct fake_kernel *k = fake_kernel();

	words[0] = '\0';
	bool second = !strcmp(ifname, FAKE_IF2);
	if (!second && strcmp(ifname, FAKE_IF))
		return -ENODEV;
	k->attr_writes++;
	if ((k->fails & attr) && k->made > k->fails_above) {
		snprintf(words, NETLINK_WORDS, "%s", k->words);
		return k->attr_error;
	}
	if (index >= FAKE_VFS)
		return -EINVAL;
	step();
	if (!(k->ignores & attr))
		store(second ? &k->vf2[index] : &k->vf[index], attr, attrs);
	step();
	return 0;
}
