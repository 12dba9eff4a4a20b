/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor: see doctor.h. One function a check, in two lists: of the machine, and of each PF.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli/proc.h"
#include "iommu/iommu.h"

struct doctor {
	struct cli *cli;
	const struct sysfs *fs;
	struct sriov *sriov;
	json_t *rows;
	enum doctor_state worst;
	/* what is looked at now */
	const char *check, *about;
	const struct sriov_pf *pf;
	char dev[BDF_TEXT];
};

/* ---- findings ---- */

static void note(struct doctor *d, enum doctor_state state, const char *why, const char *fix,
		 const char *fmt, va_list args)
{
	static const char *const states[] = {"ok", "warning", "bad"};
	char finding[512];

	vsnprintf(finding, sizeof(finding), fmt, args);
	json_t *row = json_pack("{s:s,s:s,s:s,s:s}", "check", d->check, "about", d->about, "state",
				states[state], "finding", finding);
	if (state != DOCTOR_GOOD) {
		json_object_set_new(row, "why", json_string(why));
		json_object_set_new(row, "fix", json_string(fix));
	}
	json_array_append_new(d->rows, row);
	d->worst = MAX(d->worst, state);
}

__attribute__((format(printf, 2, 3))) static void good(struct doctor *d, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note(d, DOCTOR_GOOD, NULL, NULL, fmt, args);
	va_end(args);
}

__attribute__((format(printf, 4, 5))) static void warn(struct doctor *d, const char *why,
						       const char *fix, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note(d, DOCTOR_WARNING, why, fix, fmt, args);
	va_end(args);
}

__attribute__((format(printf, 4, 5))) static void bad(struct doctor *d, const char *why,
						      const char *fix, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note(d, DOCTOR_BAD, why, fix, fmt, args);
	va_end(args);
}

/* A file of the machine, below the root that tests make up. */
static FILE *open_file(const struct doctor *d, const char *path)
{
	char full[512];

	if (snprintf(full, sizeof(full), "%s/%s", strcmp(d->cli->root, "/") ? d->cli->root : "",
		     path) >= (int)sizeof(full))
		return NULL;
	return fopen(full, "re");
}

static bool file_has(const struct doctor *d, const char *path, const char *text)
{
	FILE *in = open_file(d, path);
	char line[4096];
	bool found = false;

	while (in && !found && fgets(line, sizeof(line), in))
		found = strstr(line, text) != NULL;
	if (in)
		fclose(in);
	return found;
}

/* ---- the machine ---- */

static int count_one(const char *name, void *opaque)
{
	(void)name;
	++*(unsigned *)opaque;
	return 0;
}

static unsigned count_entries(const struct sysfs *fs, const char *dir)
{
	unsigned count = 0;

	sysfs_list(fs, count_one, &count, "%s", dir); /* absent: none */
	return count;
}

static void check_iommu(struct doctor *d)
{
	unsigned units = count_entries(d->fs, "class/iommu");
	unsigned groups = count_entries(d->fs, "kernel/iommu_groups");

	if (!units)
		bad(d, "without it a device could reach all memory, so none can be handed to a VM",
		    "switch VT-d (AMD: IOMMU) on in the firmware and boot with intel_iommu=on",
		    "there is no IOMMU, or it is off");
	else if (!groups)
		bad(d, "the kernel hands devices to VMs by group alone",
		    "boot with intel_iommu=on, without iommu=off",
		    "%u IOMMUs, and no group: the kernel does not use them", units);
	else
		good(d, "%u IOMMUs, %u groups", units, groups);
}

static void check_remapping(struct doctor *d)
{
	FILE *in = open_file(d, "proc/interrupts");
	bool remapped = in && proc_interrupts_remapped(in);

	if (in)
		fclose(in);
	if (remapped)
		good(d, "interrupts are remapped");
	else
		warn(d,
		     "a device could send any interrupt to any processor; the kernel refuses to hand it "
		     "out unless unsafe interrupts are allowed",
		     "boot without intremap=off; look for \"Interrupt remapping\" in the firmware",
		     "no interrupt is remapped");
}

static void check_override(struct doctor *d)
{
	if (file_has(d, "proc/cmdline", "pcie_acs_override"))
		warn(d,
		     "it splits groups without the hardware keeping their members apart: one VM's "
		     "device may reach another's",
		     "boot without pcie_acs_override",
		     "pcie_acs_override is given: groups cannot be trusted");
	else
		good(d, "groups are as the hardware keeps devices apart");
}

static void check_lockdown(struct doctor *d)
{
	char text[64];

	if (sysfs_read(d->fs, text, sizeof(text), "kernel/security/lockdown") ||
	    strstr(text, "[none]"))
		good(d, "the kernel is not locked down");
	else
		warn(d,
		     "debugfs, MSRs and /dev/mem are closed: `iommu audit` and `host caps` cannot look "
		     "at the hardware",
		     "needs Secure Boot off, or a boot without lockdown=", "lockdown: %s", text);
}

static void check_module(struct doctor *d)
{
	struct utsname kernel;
	char path[192];

	uname(&kernel);
	snprintf(path, sizeof(path), "lib/modules/%.100s/modules.dep", kernel.release);
	if (sysfs_exists(d->fs, "module/vfio_pci"))
		good(d, "vfio-pci is loaded");
	else if (file_has(d, path, "/vfio-pci.ko"))
		good(d, "vfio-pci is there, and will be loaded when it is needed");
	else
		bad(d, "it is the driver by which a VM gets a device",
		    "install the modules of this kernel, or modprobe vfio-pci to see why not",
		    "vfio-pci is neither loaded nor among this kernel's modules");
}

/* NetworkManager takes every new interface, our VFs' among them, unless a rule says no. */
static void check_rule(struct doctor *d)
{
	static const char *const rules[] = {
		"etc/udev/rules.d/84-sluice-unmanaged.rules",
		"usr/lib/udev/rules.d/84-sluice-unmanaged.rules",
		"usr/local/lib/udev/rules.d/84-sluice-unmanaged.rules",
	};
	FILE *running = open_file(d, "run/NetworkManager/NetworkManager.pid");
	bool there = false;

	if (!running)
		running = open_file(d, "usr/sbin/NetworkManager");
	if (!running)
		return;
	fclose(running);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		there |= file_has(d, rules[i], "NM_UNMANAGED");
	if (there)
		good(d, "NetworkManager leaves VFs alone");
	else
		warn(d,
		     "it asks for an address on every VF with a driver, and brings its interface up",
		     "install packaging/udev/84-sluice-unmanaged.rules in /etc/udev/rules.d",
		     "NetworkManager is here, and nothing tells it to leave VFs alone");
}

/* ---- one PF ---- */

static void check_driver(struct doctor *d)
{
	if (!d->pf->driver[0])
		bad(d, "VFs are made by the PF's driver",
		    "load the maker's driver, or bind pci-pf-stub", "it has no driver");
	else if (d->pf->ifname[0] && !d->pf->link_up)
		warn(d, "its VFs pass no traffic, and their drivers may not start",
		     "plug the cable in; `ip link set IFACE up`", "%s has no link", d->pf->ifname);
	else
		good(d, "driver %s%s", d->pf->driver, d->pf->ifname[0] ? ", with link" : "");
}

static void check_profile(struct doctor *d)
{
	char path[SRIOV_PROFILE_PATH], setting[SRIOV_PROFILE_SETTING];

	if (sriov_pf_profile(d->sriov, d->pf, path, setting))
		bad(d,
		    "it is done again whenever the interface comes up, and undoes what is done here; so "
		    "changes are refused",
		    "take these lines out of that file", "%s makes its VFs: %s", path, setting);
	else
		good(d, "no other manager makes its VFs");
}

/* Is `bdf` this PF or one of its VFs? */
static bool is_own(const struct doctor *d, struct bdf bdf)
{
	char dev[BDF_TEXT], physfn[BDF_TEXT];

	if (bdf_equal(bdf, d->pf->bdf))
		return true;
	return !sysfs_link_name(d->fs, physfn, sizeof(physfn), "bus/pci/devices/%s/physfn",
				bdf_format(bdf, dev)) &&
	       !strcmp(physfn, d->dev);
}

static void tell_join(struct doctor *d, struct bdf other)
{
	struct iommu_hop mine[IOMMU_HOPS_MAX], theirs[IOMMU_HOPS_MAX];
	char reason[IOMMU_REASON_TEXT] = "no reason is to be seen", dev[BDF_TEXT];
	size_t mine_count, theirs_count;

	if (!iommu_hops_read(d->fs, d->pf->bdf, mine, &mine_count) &&
	    !iommu_hops_read(d->fs, other, theirs, &theirs_count))
		iommu_join_reason(mine, mine_count, theirs, theirs_count, reason);
	warn(d,
	     "a group goes to one VM as a whole, and not while the host uses a member of it; its VFs "
	     "may end up in it too",
	     "use a slot whose ports have ACS, or switch ACS on in the firmware",
	     "IOMMU group %d also has %s: %s", d->pf->iommu_group, bdf_format(other, dev), reason);
}

static void check_group(struct doctor *d)
{
	struct iommu_group *group;
	bool alone = true;

	if (d->pf->iommu_group < 0 || iommu_group_read(d->fs, d->pf->bdf, &group))
		return; /* told of the machine as a whole */
	for (size_t i = 0; alone && i < group->count; i++) {
		const struct iommu_member *member = &group->members[i];
		alone = is_own(d, member->bdf) || member->state == IOMMU_MEMBER_BRIDGE;
		if (!alone)
			tell_join(d, member->bdf);
	}
	if (alone)
		good(d, "IOMMU group %d has nothing else in it", group->id);
	free(group);
}

static void check_reset(struct doctor *d)
{
	char methods[96];

	if (!sysfs_read(d->fs, methods, sizeof(methods), "bus/pci/devices/%s/reset_method",
			d->dev) &&
	    methods[0])
		good(d, "can be reset: %s", methods);
	else
		warn(d,
		     "what one VM left in the device, the next one finds; a guest that hung it keeps it "
		     "hung",
		     "give it to one VM only, or look for newer firmware of the card",
		     "no way to reset it");
}

static uint64_t number(const struct doctor *d, const char *file)
{
	uint64_t value = 0;

	sysfs_read_u64(d->fs, &value, "bus/pci/devices/%s/%s", d->dev, file);
	return value;
}

/* VF n has the requester ID of the PF plus offset plus n times stride (PCIe 6.0, section 9.3.3.8),
 * and its bus number must be among those below the port. */
static void check_buses(struct doctor *d)
{
	struct iommu_hop hops[IOMMU_HOPS_MAX];
	uint64_t offset = number(d, "sriov_offset"), stride = number(d, "sriov_stride");
	unsigned rid = (unsigned)(d->pf->bdf.bus << 8 | d->pf->bdf.dev << 3 | d->pf->bdf.fn);
	size_t count;

	if (!offset || !d->pf->total_vfs || iommu_hops_read(d->fs, d->pf->bdf, hops, &count) ||
	    count < 2 || !hops[1].known)
		return;
	uint64_t first = rid + offset, last = first + stride * (d->pf->total_vfs - 1);
	if (last >> 8 <= hops[1].subordinate) {
		good(d, "bus numbers for all %u VFs", d->pf->total_vfs);
		return;
	}
	uint64_t end = ((uint64_t)hops[1].subordinate << 8) + 0xff;
	unsigned fit = end < first ? 0 : stride ? (unsigned)((end - first) / stride) + 1 : 1;
	warn(d, "VFs have addresses of their own, and more of them cannot be made",
	     "boot with pci=assign-busses, switch ARI on in the firmware, or be content with fewer",
	     "bus numbers for %u of %u VFs: the port above it ends at bus %02x", fit,
	     d->pf->total_vfs, hops[1].subordinate);
}

/* Lines of the file `resource`: six BARs, the ROM, then the six of VFs (drivers/pci/pci-sysfs.c).
 * One that has a type and no address found no room. */
#define FIRST_VF_BAR 7
#define VF_BARS	     6

static void check_bars(struct doctor *d)
{
	char path[128];
	unsigned line = 0, homeless = 0;
	uint64_t start, end, flags;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/resource", d->cli->sysfs, d->dev);
	FILE *in = fopen(path, "re");
	while (in && fscanf(in, "%" SCNx64 " %" SCNx64 " %" SCNx64, &start, &end, &flags) == 3) {
		if (line >= FIRST_VF_BAR && line < FIRST_VF_BAR + VF_BARS && flags && !start)
			homeless++;
		line++;
	}
	if (in)
		fclose(in);
	if (homeless)
		bad(d, "the kernel answers ENOMEM when VFs are made",
		    "switch \"Above 4G decoding\" and SR-IOV on in the firmware, or boot with "
		    "pci=realloc",
		    "no address space for %u of its VFs' BARs", homeless);
	else if (line > FIRST_VF_BAR)
		good(d, "address space for its VFs' BARs");
}

static void check_numa(struct doctor *d)
{
	unsigned nodes = 0;

	while (sysfs_exists(d->fs, "devices/system/node/node%u", nodes))
		nodes++;
	if (nodes > 1 && d->pf->numa_node < 0)
		warn(d, "VMs cannot be put near their device, which costs a hop for each access",
		     "look for a newer firmware: it should tell by _PXM",
		     "its NUMA node is not known, and there are %u", nodes);
	else if (nodes > 1)
		good(d, "on NUMA node %d of %u", d->pf->numa_node, nodes);
}

/* ---- all of them ---- */

struct check {
	const char *name;
	void (*run)(struct doctor *d);
};

static const struct check machine_checks[] = {
	{"iommu", check_iommu},		  {"interrupt-remapping", check_remapping},
	{"acs-override", check_override}, {"lockdown", check_lockdown},
	{"modules", check_module},	  {"networkmanager", check_rule},
};

static const struct check pf_checks[] = {
	{"driver", check_driver}, {"profiles", check_profile},	{"group", check_group},
	{"reset", check_reset},	  {"bus-numbers", check_buses}, {"bars", check_bars},
	{"numa", check_numa},
};

static void check_pf(struct doctor *d, const struct sriov_pf *pf)
{
	d->pf = pf;
	bdf_format(pf->bdf, d->dev);
	d->about = pf->ifname[0] ? pf->ifname : d->dev;
	for (size_t i = 0; i < ARRAY_SIZE(pf_checks); i++) {
		d->check = pf_checks[i].name;
		pf_checks[i].run(d);
	}
}

int doctor_run(struct cli *cli, json_t *rows, enum doctor_state *worst)
{
	struct doctor d = {.cli = cli, .rows = rows, .about = "host"};
	struct sriov_pf *pfs = NULL;
	size_t count;

	d.fs = cli_sysfs(cli);
	d.sriov = cli_sriov(cli);
	int err = d.fs && d.sriov ? sriov_pf_list(d.sriov, &pfs, &count) : -EIO;
	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(machine_checks); i++) {
		d.check = machine_checks[i].name;
		machine_checks[i].run(&d);
	}
	for (size_t i = 0; i < count; i++)
		check_pf(&d, &pfs[i]);
	free(pfs);
	*worst = d.worst;
	return 0;
}
