/* SPDX-License-Identifier: BSD-3-Clause */
/* iommu_facts: see iommu_facts.h. */
#include "cli/iommu_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/vm_dir.h"

static uint64_t number(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

/* ---- where a BAR lies ---- */

/* Line `bar` of the function's `resource`: "0xSTART 0xLAST 0xFLAGS". */
static int bar_address(const struct sysfs *fs, const char *bdf, uint64_t bar, uint64_t *start)
{
	char path[SYSFS_PATH], *lines = NULL;
	size_t len;

	snprintf(path, sizeof(path), "bus/pci/devices/%s/resource", bdf);
	int fd = openat(fs->root, path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : io_read_file(fd, 4096, &lines, &len);
	io_close(&fd);
	if (err)
		return err;
	const char *line = lines;
	for (; line && bar; bar--) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	err = line && sscanf(line, "0x%" SCNx64, start) == 1 ? 0 : -ENOENT;
	free(lines);
	return err;
}

/* The BAR of one of the VM's devices that the guest sees around `iova`. */
static int find_bar(const struct sysfs *fs, const json_t *devices, uint64_t iova, uint64_t *phys)
{
	for (size_t i = 0; i < json_array_size(devices); i++) {
		const json_t *device = json_array_get(devices, i);
		const json_t *bars = json_object_get(device, "bars");
		for (size_t k = 0; k < json_array_size(bars); k++) {
			const json_t *bar = json_array_get(bars, k);
			uint64_t gpa = number(bar, "gpa");
			if (iova - gpa >= number(bar, "size"))
				continue;
			int err = bar_address(fs, text(device, "bdf"), number(bar, "bar"), phys);
			*phys += iova - gpa;
			return err;
		}
	}
	return -ENOENT;
}

/* ---- one VM ---- */

static int add_map(const struct sysfs *fs, struct audit *audit, int owner, const json_t *map,
		   const json_t *devices)
{
	const struct audit_owner *o = &audit->owners[owner];
	struct audit_run run = {.iova = number(map, "iova"),
				.size = number(map, "size"),
				.write = strchr(text(map, "prot"), 'w') != NULL,
				.owner = owner};
	int err;

	if (!strcmp(text(map, "what"), "bar")) {
		err = find_bar(fs, devices, run.iova, &run.phys);
		if (!err)
			err = audit_add_run(audit, &run);
	} else {
		err = audit_add_memory(audit, owner, (int)o->pid, number(map, "hva"), run.iova,
				       run.size, run.write);
	}
	return err ? log_fail(err, o->name,
			      "physical memory behind its map at 0x%" PRIx64 " not found: %s",
			      run.iova, strerror(-err))
		   : 0;
}

static int take_device(struct audit *audit, int owner, const char *address)
{
	struct bdf bdf;

	if (bdf_parse(address, &bdf))
		return -EPROTO;
	for (size_t i = 0; i < audit->device_count; i++) {
		struct audit_device *d = &audit->devices[i];
		if (d->segment == bdf.domain && d->rid == (bdf.bus << 8 | bdf.dev << 3 | bdf.fn)) {
			d->owner = owner;
			return 0;
		}
	}
	return log_fail(-ENODEV, audit->owners[owner].name, "has %s, which this host does not have",
			address);
}

struct answers {
	json_t *status, *stat, *maps;
};

static int ask(const struct cli *cli, const char *name, struct answers *out)
{
	char error[RPC_ERROR_TEXT];
	int err = vm_try(cli, name, "status", &out->status, error);

	if (!err)
		err = vm_try(cli, name, "stat", &out->stat, error);
	if (!err)
		err = vm_try(cli, name, "maps", &out->maps, error);
	return err;
}

static int add_vm(const struct sysfs *fs, struct audit *audit, const char *name,
		  const struct answers *a)
{
	const json_t *devices = json_object_get(a->stat, "devices");
	struct audit_owner owner = {.pid = (uint32_t)number(a->status, "pid"), .known = 1};
	int index = (int)audit->owner_count;

	snprintf(owner.name, sizeof(owner.name), "vm %.50s", name);
	int err = audit_add_owner(audit, &owner);
	for (size_t i = 0; i < json_array_size(devices) && !err; i++)
		err = take_device(audit, index, text(json_array_get(devices, i), "bdf"));
	for (size_t i = 0; i < json_array_size(a->maps) && !err; i++)
		err = add_map(fs, audit, index, json_array_get(a->maps, i), devices);
	return err;
}

static int add_vms(struct cli *cli, struct audit *audit)
{
	json_t *names = vm_names(cli);
	int err = 0;

	for (size_t i = 0; i < json_array_size(names) && !err; i++) {
		const char *name = json_string_value(json_array_get(names, i));
		struct answers a = {0};
		/* One that does not run holds nothing: its devices are judged as leftovers. */
		err = ask(cli, name, &a);
		if (!err)
			err = add_vm(cli_sysfs(cli), audit, name, &a);
		else if (err == -ENOENT || err == -ECONNREFUSED)
			err = 0;
		else
			log_error(name, "did not answer: %s", strerror(-err));
		json_decref(a.status);
		json_decref(a.stat);
		json_decref(a.maps);
	}
	json_decref(names);
	return err;
}

/* ---- who is none of ours ---- */

static int add_foreign(const struct sysfs *fs, struct audit *audit)
{
	char bdf[BDF_TEXT], group[16], who[SRIOV_HOLDER_TEXT];

	for (size_t i = 0; i < audit->device_count; i++) {
		struct audit_device *d = &audit->devices[i];
		const struct bdf at = {d->segment, (uint8_t)(d->rid >> 8),
				       (uint8_t)(d->rid >> 3 & 31), (uint8_t)(d->rid & 7)};
		struct audit_owner owner = {.known = 0};
		if (!d->vfio || d->owner != AUDIT_HOST ||
		    sysfs_link_name(fs, group, sizeof(group), "bus/pci/devices/%s/iommu_group",
				    bdf_format(at, bdf)) ||
		    !sriov_group_holder(atoi(group), who))
			continue;
		snprintf(owner.name, sizeof(owner.name), "%.55s", who);
		int err = audit_add_owner(audit, &owner);
		if (err)
			return err;
		d->owner = (int)audit->owner_count - 1;
	}
	return 0;
}

int iommu_facts_add(struct cli *cli, struct audit *audit)
{
	int err = add_vms(cli, audit);

	if (!err)
		err = add_foreign(cli_sysfs(cli), audit);
	return err ? err : audit_ready(audit);
}
