/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_request: see vm_request.h. */
#include "cli/vm_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli/proc.h"
#include "cli/vm_dir.h"
#include "cli/vm_net.h"
#include "cli/vm_place.h"
#include "iommu/iommu.h"

#define RAM_MIN	       (16 * MIB)
#define RAM_MAX	       (16 * 1024 * GIB)
#define HOST_CPUS_MAX  8192
#define HOTPLUG_PORTS  4
#define EXIT_PORT      0xf4 /* where kernels made for testing expect it */
#define EXIT_PORT_LAST 0xfffc

/* ---- the text ---- */

static uint64_t page_size(enum hv_pages pages)
{
	return pages == HV_PAGES_2M ? 2 * MIB : pages == HV_PAGES_1G ? GIB : 4 * KIB;
}

/* What may follow the size: ",pages=2m", ",max=4G", ",share". */
static int memory_setting(const char *text, uint64_t *max, enum hv_pages *pages, bool *share)
{
	if (!strcmp(text, "share")) {
		*share = true;
		return 0;
	}
	if (!strncmp(text, "pages=", 6))
		return vmm_pages_parse(text + 6, pages);
	return strncmp(text, "max=", 4) ? -EINVAL : parse_size(text + 4, RAM_MIN, RAM_MAX, max);
}

/* `max` is 0 where the memory does not grow. */
static int check_growth(const char *text, uint64_t ram, uint64_t max, enum hv_pages pages,
			char *why)
{
	const char *wrong =
		max && max <= ram ? "max is not more than what it has at first"
		: max && page_size(pages) > 4 * KIB
			? "with max, huge pages would all be taken from the host at once"
		: max && !IS_ALIGNED(ram | max, 2 * MIB) ? "with max, both are multiples of 2M"
							 : NULL;

	if (!wrong)
		return 0;
	snprintf(why, VF_SPEC_WHY, "memory '%.40s': %s", text, wrong);
	return -EINVAL;
}

int vm_request_memory(const char *text, uint64_t *ram, uint64_t *max, enum hv_pages *pages,
		      bool *share, char why[VF_SPEC_WHY])
{
	size_t len = strcspn(text, ",");
	char part[32];

	*max = 0;
	snprintf(part, sizeof(part), "%.*s", (int)MIN(len, sizeof(part)), text);
	if (parse_size(part, RAM_MIN, RAM_MAX, ram)) {
		snprintf(why, VF_SPEC_WHY,
			 "memory '%.40s': not a size such as 512M, from 16M to 16T", text);
		return -EINVAL;
	}
	for (const char *at = text + len; *at; at += len) {
		len = strcspn(++at, ",");
		snprintf(part, sizeof(part), "%.*s", (int)MIN(len, sizeof(part)), at);
		if (memory_setting(part, max, pages, share)) {
			snprintf(
				why, VF_SPEC_WHY,
				"memory '%.40s': only ,pages=4k|thp|2m|1g, ,max=SIZE and ,share may "
				"follow the size",
				text);
			return -EINVAL;
		}
	}
	if (!IS_ALIGNED(*ram, page_size(*pages))) {
		snprintf(why, VF_SPEC_WHY, "memory '%.40s': not a multiple of its %s pages", text,
			 vmm_pages_name(*pages));
		return -EINVAL;
	}
	return check_growth(text, *ram, *max, *pages, why);
}

int vm_request_cpus(const char *text, unsigned *cpus, unsigned *max, char why[VF_SPEC_WHY])
{
	size_t len = strcspn(text, ",");
	char first[16];
	uint32_t count, most = 0;

	snprintf(first, sizeof(first), "%.*s", (int)MIN(len, sizeof(first)), text);
	if (parse_u32(first, 1, HV_MAX_CPUS, &count) ||
	    (text[len] && (strncmp(text + len, ",max=", 5) != 0 ||
			   parse_u32(text + len + 5, count, HV_MAX_CPUS, &most)))) {
		snprintf(why, VF_SPEC_WHY,
			 "cpus '%.40s': not a number from 1 to %d, or two such as 2,max=8", text,
			 HV_MAX_CPUS);
		return -EINVAL;
	}
	*cpus = count;
	*max = most;
	return 0;
}

int vm_request_pin(const char *text, unsigned cpus, int *pin, char why[VF_SPEC_WHY])
{
	while (*text) {
		size_t len = strcspn(text, ",");
		unsigned vcpu, cpu;
		int end = 0;
		if (sscanf(text, "%4u:%4u%n", &vcpu, &cpu, &end) != 2 || (size_t)end != len) {
			snprintf(why, VF_SPEC_WHY, "pin '%.40s': not of the form VCPU:CPU,…", text);
			return -EINVAL;
		}
		if (vcpu >= cpus || cpu >= HOST_CPUS_MAX || pin[vcpu] >= 0) {
			snprintf(why, VF_SPEC_WHY, "pin '%.*s': virtual CPU %s", (int)len, text,
				 vcpu >= cpus ? "past the last"
					      : "named twice, or no such host CPU");
			return -EINVAL;
		}
		pin[vcpu] = (int)cpu;
		text += len + (text[len] == ',');
	}
	return 0;
}

int vm_request_port(const char *text, int *port, char why[VF_SPEC_WHY])
{
	char *end;
	unsigned long value = strtoul(text, &end, 0);

	if (!strcmp(text, "none")) {
		*port = 0;
		return 0;
	}
	if (*text < '0' || *text > '9' || *end || value < 1 || value > EXIT_PORT_LAST) {
		snprintf(why, VF_SPEC_WHY,
			 "exit port '%.40s': neither none nor an I/O port from 1 to 0x%x", text,
			 EXIT_PORT_LAST);
		return -EINVAL;
	}
	*port = (int)value;
	return 0;
}

void vm_request_exit_port(struct vm_request *r, int kernel_fd)
{
	if (r->exit_port == EXIT_PORT_BY_KERNEL)
		r->exit_port = hv_kernel_kind(kernel_fd) == HV_KERNEL_MULTIBOOT ? EXIT_PORT : 0;
}

int vm_failed(const struct vm_request *r)
{
	return r->exit_port > 0 ? CLI_NO_STATUS : CLI_FAILED;
}

static int parse_machine(const struct cli_args *args, struct vm_request *r, char *why)
{
	int err = vm_request_memory(cli_text(args, "--memory", "512M"), &r->ram, &r->ram_max,
				    &r->pages, &r->share, why);

	if (!err)
		err = vm_request_cpus(cli_text(args, "--cpus", "1"), &r->cpus, &r->max_cpus, why);
	for (size_t i = 0; i < HV_MAX_CPUS; i++)
		r->pin[i] = -1;
	r->exit_port = EXIT_PORT_BY_KERNEL;
	if (!err && cli_has(args, "--exit-port"))
		err = vm_request_port(cli_text(args, "--exit-port", ""), &r->exit_port, why);
	if (!err && cli_has(args, "--pin"))
		err = vm_request_pin(cli_text(args, "--pin", ""), MAX(r->cpus, r->max_cpus), r->pin,
				     why);
	return err;
}

static int parse_numa(const struct cli_args *args, struct vm_request *r, char *why)
{
	const struct cli_given *given = NULL;
	int err = 0;

	while (!err && (given = cli_next(args, "--numa", given))) {
		if (r->numa_count == HV_MAX_NODES)
			return log_fail(-EINVAL, r->subject, "more than %d NUMA nodes for one VM",
					HV_MAX_NODES);
		err = numa_spec_parse(given->text, &r->numa[r->numa_count++], why);
	}
	if (!err && r->numa_count)
		err = numa_spec_complete(r->numa, r->numa_count, MAX(r->cpus, r->max_cpus), r->ram,
					 page_size(r->pages), why);
	return err ? log_fail(err, r->subject, "numa: %s", why) : 0;
}

/* Where it runs, and whether that is for itself. */
static int parse_place(const struct cli_args *args, struct vm_request *r)
{
	char why[NUMA_SPEC_WHY];
	int err = parse_numa(args, r, why);

	r->isolate = cli_has(args, "--isolate");
	r->merge = !strcmp(cli_text(args, "--ksm", "off"), "on");
	r->phys_bits = (unsigned)cli_number(args, "--phys-bits", 0);
	for (unsigned i = 0; !err && r->isolate && i < MAX(r->cpus, r->max_cpus); i++)
		if (r->pin[i] < 0)
			err = log_fail(-EINVAL, r->subject,
				       "--isolate keeps the cores that --pin names, and virtual "
				       "CPU %u is pinned to none",
				       i);
	if (!err && r->merge && r->pick_count)
		err = log_fail(-EINVAL, r->subject,
			       "--ksm on: the devices that it is given may reach all of its "
			       "memory at any time, so no page can be merged");
	if (!err && r->merge && page_size(r->pages) > 4 * KIB)
		err = log_fail(-EINVAL, r->subject,
			       "--ksm on: pages of %s are not merged; use pages=thp",
			       vmm_pages_name(r->pages));
	return err;
}

static int parse_picks(const struct cli_args *args, struct vm_request *r)
{
	const struct cli_given *given = NULL;

	while ((given = cli_next(args, "--vf", given)) && r->pick_count < VMM_DEVICES_MAX) {
		struct vm_pick *pick = &r->picks[r->pick_count++];
		pick->is_vf = true;
		int err = vf_spec_parse(r->subject, given->text, &pick->spec);
		if (err)
			return err;
	}
	const struct cli_given *gpu = NULL;
	while (!given && (gpu = cli_next(args, "--gpu", gpu)) && r->pick_count < VMM_DEVICES_MAX) {
		struct vm_pick *pick = &r->picks[r->pick_count++];
		pick->is_gpu = true;
		if (snprintf(pick->gpu, sizeof(pick->gpu), "%s", gpu->text) >= VM_GPU_SPEC)
			return log_fail(-EINVAL, r->subject, "--gpu %.40s…: too long", gpu->text);
	}
	given = given ? given : gpu;
	const struct cli_given *device = NULL;
	while (!given && (device = cli_next(args, "--device", device)) &&
	       r->pick_count < VMM_DEVICES_MAX) {
		struct vm_pick *pick = &r->picks[r->pick_count++];
		bdf_parse(device->text, &pick->bdf); /* checked when the option was read */
	}
	if (!given && !device)
		return 0;
	return log_fail(-EINVAL, r->subject, "more than %d devices for one VM", VMM_DEVICES_MAX);
}

static int parse_nets(const struct cli_args *args, struct vm_request *r)
{
	const struct cli_given *given = NULL;
	char why[NET_SPEC_WHY];

	while ((given = cli_next(args, "--net", given))) {
		if (r->net_count == VMM_NETS_MAX)
			return log_fail(-EINVAL, r->subject, "more than %d NICs for one VM",
					VMM_NETS_MAX);
		if (net_spec_parse(given->text, &r->nets[r->net_count++], why))
			return log_fail(-EINVAL, r->subject, "net: %s", why);
	}
	return 0;
}

static int parse_boot(const struct cli_args *args, struct vm_request *r, char *why)
{
	const char *boot = cli_text(args, "--boot", r->kernel ? "kernel" : "disk");
	const char *firmware = cli_text(args, "--firmware", NULL);
	int err = firmware ? vm_firmware_parse(firmware, &r->firmware, why, VF_SPEC_WHY) : 0;

	if (err)
		return err;
	if (firmware && r->max_cpus) {
		snprintf(
			why, VF_SPEC_WHY,
			"with --firmware, CPUs cannot come and go: its tables name a fixed number");
		return -EINVAL;
	}
	if (!firmware && !strcmp(boot, "disk")) {
		snprintf(why, VF_SPEC_WHY,
			 "nothing to boot: pass --kernel FILE, or --firmware uefi");
		return -EINVAL;
	}
	if (!strcmp(boot, "kernel") && !r->kernel) {
		snprintf(why, VF_SPEC_WHY, "--boot kernel needs --kernel FILE");
		return -EINVAL;
	}
	if (!strcmp(boot, "disk"))
		r->kernel = r->initrd = NULL;
	return 0;
}

void vm_request_set_name(struct vm_request *r, const char *name)
{
	snprintf(r->name, sizeof(r->name), "%s", name);
	snprintf(r->subject, sizeof(r->subject), "vm %s", r->name);
}

static int parse_disks(const struct cli_args *args, struct vm_request *r)
{
	const struct cli_given *given = NULL;
	char why[DISK_SPEC_WHY];

	while ((given = cli_next(args, "--disk", given))) {
		if (r->disk_count == VMM_DISKS_MAX)
			return log_fail(-EINVAL, r->subject, "more than %d disks for one VM",
					VMM_DISKS_MAX);
		if (disk_spec_parse(given->text, &r->disks[r->disk_count++], why))
			return log_fail(-EINVAL, r->subject, "disk: %s", why);
	}
	return 0;
}

static int parse_ports(const struct cli_args *args, struct vm_request *r)
{
	const struct cli_given *given = NULL;
	char why[VM_PORT_WHY];

	while ((given = cli_next(args, "--port", given))) {
		if (r->port_count == VMM_NETS_MAX)
			return log_fail(-EINVAL, r->subject, "more than %d NICs for one VM",
					VMM_NETS_MAX);
		if (vm_port_parse(given->text, &r->ports[r->port_count++], why))
			return log_fail(-EINVAL, r->subject, "port: %s", why);
	}
	return 0;
}

/* That a balloon has something to work with. */
static int check_balloon(const struct vm_request *r)
{
	if (r->balloon && r->pick_count)
		return log_fail(
			-EINVAL, r->subject,
			"--balloon: the devices that it is given may reach all of its memory "
			"at any time, so none can be taken away");
	if (r->balloon && r->prefault)
		return log_fail(-EINVAL, r->subject,
				"--balloon and --prefault: one gives memory back to the host that "
				"the other takes in advance");
	if (r->balloon && page_size(r->pages) > 4 * KIB)
		return log_fail(
			-EINVAL, r->subject,
			"--balloon: memory in pages of %s cannot be given back in pieces; use "
			"pages=thp",
			vmm_pages_name(r->pages));
	return 0;
}

void vm_request_begin(struct vm_request *r, const char *name)
{
	*r = (struct vm_request){.cpus = 1};
	for (size_t i = 0; i < HV_MAX_CPUS; i++)
		r->pin[i] = -1;
	vm_request_set_name(r, name);
}

int vm_request_parse_devices(const struct cli_args *args, struct vm_request *r)
{
	vm_request_begin(r, args->operand);
	int err = parse_picks(args, r);
	if (!err)
		err = parse_disks(args, r);
	if (!err)
		err = parse_ports(args, r);
	if (!err && !r->pick_count && !r->disk_count && !r->port_count)
		err = log_fail(-EINVAL, r->subject, "nothing to attach; for example: %s",
			       args->command->examples[0]);
	return err;
}

int vm_request_parse(const struct cli_args *args, struct vm_request *r)
{
	char why[VF_SPEC_WHY];

	*r = (struct vm_request){.pages = HV_PAGES_THP, .subject = "vm run", .saved_fd = -1};
	r->kernel = cli_text(args, "--kernel", NULL);
	r->initrd = cli_text(args, "--initrd", NULL);
	r->cmdline = cli_text(args, "--append", "");
	r->kaslr = !cli_has(args, "--no-kaslr");
	r->irqchip = !strcmp(cli_text(args, "--irqchip", "split"), "kernel");
	r->restart = strcmp(cli_text(args, "--on-reboot", "restart"), "restart") == 0;
	r->detach = cli_has(args, "--detach");
	r->watchdog = cli_text(args, "--watchdog", NULL);
	r->virtio_console = strcmp(cli_text(args, "--console", "serial"), "virtio") == 0;
	r->balloon = cli_has(args, "--balloon");
	r->prefault = cli_has(args, "--prefault");
	r->sandbox = !cli_has(args, "--no-sandbox");
	r->vsock = (uint32_t)cli_number(args, "--vsock", 0);
	r->rng = cli_has(args, "--rng");
	r->hotplug_ports = (unsigned)cli_number(args, "--hotplug-ports", HOTPLUG_PORTS);
	if (args->operand && !vmm_name_valid(args->operand))
		return log_fail(
			-EINVAL, "vm run",
			"'%s' is no name for a VM: up to %d letters, digits, '.', '_', '-', "
			"starting with a letter or digit",
			args->operand, VMM_NAME_MAX - 1);
	if (args->operand)
		vm_request_set_name(r, args->operand);
	int err = parse_machine(args, r, why);
	if (!err)
		err = parse_boot(args, r, why);
	if (err)
		return log_fail(err, r->subject, "%s", why);
	err = parse_picks(args, r);
	if (err)
		return err;
	if (cli_has(args, "--vsock") && r->vsock < 3)
		return log_fail(-EINVAL, r->subject,
				"vsock %u: context IDs below 3 are not for guests", r->vsock);
	err = parse_place(args, r);
	if (!err)
		err = check_balloon(r);
	if (!err)
		err = parse_nets(args, r);
	return err ? err : parse_disks(args, r);
}

int vm_request_name(const struct cli *cli, struct vm_request *r)
{
	for (unsigned i = 1; !r->name[0] && i < 10000; i++) {
		char name[VMM_NAME_MAX];
		snprintf(name, sizeof(name), "vm-%u", i);
		if (!vm_known(cli, name))
			vm_request_set_name(r, name);
	}
	return r->name[0] ? 0
			  : log_fail(-EEXIST, "vm run", "no name is left; name the VM yourself");
}

/* ---- memory ---- */

static int check_huge(const struct sysfs *fs, const struct vm_request *r)
{
	unsigned long long kib = page_size(r->pages) / KIB;
	uint64_t pages = r->ram / page_size(r->pages), free_pages;

	if (sysfs_read_u64(fs, &free_pages, "kernel/mm/hugepages/hugepages-%llukB/free_hugepages",
			   kib))
		return log_fail(-ENOMEM, r->subject, "the host has no pages of %s; use pages=thp",
				vmm_pages_name(r->pages));
	if (free_pages >= pages)
		return 0;
	return log_fail(-ENOMEM, r->subject,
			"needs %llu huge pages of %s, %llu are free; reserve them: echo %llu > "
			"/sys/kernel/mm/hugepages/hugepages-%llukB/nr_hugepages",
			(unsigned long long)pages, vmm_pages_name(r->pages),
			(unsigned long long)free_pages, (unsigned long long)pages, kib);
}

int vm_request_check_memory(struct cli *cli, const struct vm_request *r)
{
	char wanted[PARSE_SIZE_TEXT], there[PARSE_SIZE_TEXT];
	const struct sysfs *fs = cli_sysfs(cli);
	uint64_t available = UINT64_MAX;

	if (!fs)
		return -EIO;
	if (r->pages == HV_PAGES_2M || r->pages == HV_PAGES_1G)
		return check_huge(fs, r);
	if (r->saved) /* memory comes from the file, as the guest touches it */
		return 0;
	FILE *in = fopen("/proc/meminfo", "re");
	if (in) {
		proc_meminfo(in, "MemAvailable", &available);
		fclose(in);
	}
	if (r->ram <= available)
		return 0;
	return log_fail(
		-ENOMEM, r->subject,
		"needs %s of memory, %s are available; stop something or pass a smaller --memory",
		format_size(r->ram, wanted), format_size(available, there));
}

/* ---- VFs and devices ---- */

static bool picked(const struct vm_request *r, size_t before, struct bdf bdf)
{
	for (size_t i = 0; i < before; i++)
		if (bdf_equal(r->picks[i].bdf, bdf))
			return true;
	return false;
}

/* The first VF of the PF that nobody has, and that was not picked already. */
static int find_free(struct sriov *sriov, const struct vm_request *r, size_t index,
		     const struct sriov_pf *pf, struct sriov_vf *out)
{
	char name[BDF_TEXT];
	struct sriov_vf *vfs = NULL;
	size_t count, i;
	int err = sriov_vf_list(sriov, pf, &vfs, &count);

	if (err)
		return err;
	for (i = 0; i < count; i++)
		if (vfs[i].state == SRIOV_VF_FREE && !picked(r, index, vfs[i].bdf))
			break;
	const char *subject = pf->ifname[0] ? pf->ifname : bdf_format(pf->bdf, name);
	if (i < count)
		*out = vfs[i];
	else if (count)
		err = log_fail(-EBUSY, r->subject,
			       "all %zu VFs of %s are in use; see sluice vf list %s", count,
			       subject, subject);
	else
		err = log_fail(-ENODEV, r->subject,
			       "%s has no VFs; make some: sluice vf create %s --count %u", subject,
			       subject, MIN(4u, pf->total_vfs));
	free(vfs);
	return err;
}

/* Whether `text` names a PF; silently, since it may be a VF's address. */
static bool names_pf(struct sriov *sriov, const char *text, struct sriov_pf *out)
{
	struct sriov_pf *pfs = NULL;
	size_t count = 0;
	struct bdf bdf;
	bool found = false, is_bdf = bdf_parse(text, &bdf) == 0;

	if (sriov_pf_list(sriov, &pfs, &count))
		return false;
	for (size_t i = 0; i < count && !found; i++) {
		found = !strcmp(pfs[i].ifname, text) || !strcmp(pfs[i].alias, text) ||
			(is_bdf && bdf_equal(pfs[i].bdf, bdf));
		if (found)
			*out = pfs[i];
	}
	free(pfs);
	return found;
}

/* ---- pools ---- */

struct picked_before {
	const struct vm_request *r;
	size_t count;
};

static bool picked_before(struct bdf bdf, void *opaque)
{
	const struct picked_before *before = opaque;

	return picked(before->r, before->count, bdf);
}

/* -ENOENT: there is no such pool. */
static int find_in_pool(struct cli *cli, struct vm_request *r, size_t index)
{
	struct vm_pick *pick = &r->picks[index];
	struct picked_before before = {r, index};
	char why[SRIOV_WHY], place[VM_PLACE_WHY];
	int node = vm_place_node(cli, r, place);
	int err = sriov_pool_pick(cli->sriov, pick->spec.vf, node, picked_before, &before,
				  &pick->vf, why);

	if (!err)
		fprintf(stderr, "%s: pool %s: %s; %s\n", r->subject, pick->spec.vf, why, place);
	return err;
}

static int find_vf(struct cli *cli, struct vm_request *r, size_t index)
{
	struct sriov *sriov = cli->sriov;
	struct vm_pick *pick = &r->picks[index];
	struct bdf address;
	struct sriov_pf pf;
	int err;

	if (!strchr(pick->spec.vf, '/') && names_pf(sriov, pick->spec.vf, &pf))
		err = find_free(sriov, r, index, &pf, &pick->vf);
	else if (strchr(pick->spec.vf, '/') || bdf_parse(pick->spec.vf, &address) == 0)
		err = sriov_vf_find(sriov, pick->spec.vf, &pick->vf);
	else if ((err = find_in_pool(cli, r, index)) == -ENOENT)
		err = sriov_pf_find(sriov, pick->spec.vf, &pf)
			      ?: -ENODEV; /* says which PFs there are */
	if (err)
		return err;
	pick->bdf = pick->vf.bdf;
	if (pick->vf.state == SRIOV_VF_HELD && !strcmp(pick->vf.owner, r->name))
		return log_fail(-EEXIST, r->subject, "has %s/%u already (pid %d)", pick->vf.pf,
				pick->vf.index, (int)pick->vf.pid);
	if (pick->vf.state == SRIOV_VF_HELD)
		return log_fail(-EBUSY, r->subject,
				"%s/%u is held by vm %s (pid %d); stop it or take another",
				pick->vf.pf, pick->vf.index, pick->vf.owner, (int)pick->vf.pid);
	if (pick->vf.state == SRIOV_VF_FOREIGN)
		return log_fail(
			-EBUSY, r->subject,
			"%s/%u is in use by something that is not sluice (pid %d, driver %s)",
			pick->vf.pf, pick->vf.index, (int)pick->vf.pid, pick->vf.driver);
	return 0;
}

/* One of its GPU's pool or name; made where there is none. */
static int find_gpu(struct cli *cli, struct vm_request *r, size_t index)
{
	struct vm_pick *pick = &r->picks[index];
	struct picked_before before = {r, index};
	char why[GPU_WHY], name[GPU_SLICE_NAME], place[VM_PLACE_WHY];
	struct gpu *gpu = cli_gpu(cli);
	int err = gpu ? gpu_take(gpu, pick->gpu, vm_place_node(cli, r, place),
				 cli->dry_run || r->foretell, picked_before, &before, &pick->slice,
				 why)
		      : -EIO;

	if (err)
		return err;
	fprintf(stderr, "%s: gpu %s: %s\n", r->subject, gpu_slice_name(&pick->slice, name), why);
	pick->bdf = pick->slice.bdf;
	if (!pick->slice.audio[0] || r->pick_count == VMM_DEVICES_MAX)
		return 0;
	struct vm_pick *audio = &r->picks[r->pick_count++];
	memmove(pick + 2, pick + 1, (size_t)(audio - pick - 1) * sizeof(*pick));
	pick[1] = (struct vm_pick){.along = true};
	return bdf_parse(pick->slice.audio, &pick[1].bdf);
}

/* That there is such a device, and an IOMMU to keep it in bounds. */
static int check_group(const struct sysfs *fs, struct bdf bdf)
{
	struct iommu_group *group = NULL;
	int err = iommu_group_read(fs, bdf, &group);

	free(group);
	return err;
}

int vm_request_check_nets(struct cli *cli, const struct vm_request *r, struct vmm_config *config)
{
	const struct sysfs *fs = cli_sysfs(cli);
	int err = fs ? 0 : -EIO;

	for (size_t i = 0; i < r->net_count && !err; i++)
		err = vm_net_check(fs, r->subject, r->name, (unsigned)i, &r->nets[i],
				   &config->nets[config->net_count++]);
	return err;
}

/* A VF beside a NIC that stands by for it has that NIC's address, which is how the guest finds that
 * they belong together; the first such NIC has the first VF. */
static void pair_up(struct vm_request *r)
{
	size_t next = 0;

	for (unsigned i = 0; i < r->net_count; i++) {
		while (next < r->pick_count && !r->picks[next].is_vf)
			next++;
		if (!r->nets[i].standby || next == r->pick_count)
			continue;
		struct sriov_attrs *attrs = &r->picks[next++].spec.attrs;
		if (attrs->set & SRIOV_MAC)
			continue;
		attrs->set |= SRIOV_MAC;
		if (r->nets[i].has_mac)
			memcpy(attrs->mac, r->nets[i].mac, sizeof(attrs->mac));
		else
			net_spec_mac(r->name, i, attrs->mac);
	}
}

int vm_request_find(struct cli *cli, struct vm_request *r)
{
	struct sriov *sriov = r->pick_count ? cli_sriov(cli) : NULL;
	const struct sysfs *fs = cli_sysfs(cli);
	int err = fs && (sriov || !r->pick_count) ? 0 : -EIO;
	char bdf[BDF_TEXT];

	pair_up(r);
	for (size_t i = 0; i < r->pick_count && !err; i++) {
		struct vm_pick *pick = &r->picks[i];
		if (pick->is_vf)
			err = find_vf(cli, r, i);
		else if (pick->is_gpu)
			err = find_gpu(cli, r, i);
		if (!err && picked(r, i, pick->bdf))
			err = log_fail(-EINVAL, r->subject, "%s is named twice",
				       bdf_format(pick->bdf, bdf));
		if (!err && !pick->is_gpu)
			err = check_group(fs, pick->bdf);
	}
	return err;
}
