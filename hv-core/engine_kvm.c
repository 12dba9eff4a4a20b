/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine_kvm: a VM of Linux's KVM behind engine.h: memory slots, interrupts, devices.
 *
 * The interrupt controllers are split, unless all are KVM's (engine_kvm_irqchip.c): KVM emulates
 * the local APICs, the I/O APIC is ours. KVM learns of its pins as the first routes of the routing
 * table and reports the end of their level-triggered interrupts (api.rst, KVM_CAP_SPLIT_IRQCHIP).
 */
#include "hv-core/engine_kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/sysfs.h"
#include "base/util.h"

/* Intel CPUs that cannot run real mode natively need four pages of guest address space which the
 * guest never sees: a page table and a TSS. They lie between the local APICs and the end of the
 * 32-bit space, where the memory map in hv.h has nothing. */
#define KVM_IDENTITY_MAP_AT UINT64_C(0xfeffc000)
#define KVM_TSS_AT	    0xfeffd000ul

#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)

static int kvm_ioctl(int fd, unsigned long request, const void *arg)
{
	int result = ioctl(fd, request, arg);

	return result < 0 ? -errno : result;
}

static int extension(int fd, int cap)
{
	int result = ioctl(fd, KVM_CHECK_EXTENSION, (unsigned long)cap);

	return result < 0 ? 0 : result;
}

static int enable_cap(const struct hv_engine *engine, uint32_t cap, uint64_t arg)
{
	struct kvm_enable_cap enable = {.cap = cap, .args = {arg}};

	return kvm_ioctl(engine->vm, KVM_ENABLE_CAP, &enable);
}

static int check_kvm(int fd)
{
	static const struct {
		int cap;
		const char *name;
	} needed[] = {
		{KVM_CAP_USER_MEMORY, "USER_MEMORY"},
		{KVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP"},
		{KVM_CAP_X2APIC_API, "X2APIC_API"},
		{KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI"},
		{KVM_CAP_IRQFD, "IRQFD"},
		{KVM_CAP_IOEVENTFD, "IOEVENTFD"},
		{KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT"},
		{KVM_CAP_MP_STATE, "MP_STATE"},
		{KVM_CAP_X86_USER_SPACE_MSR, "X86_USER_SPACE_MSR"},
	};
	int version = ioctl(fd, KVM_GET_API_VERSION, 0ul);

	if (version < 0)
		return log_fail(-errno, "kvm", "not usable: the descriptor is no /dev/kvm: %s",
				strerror(errno));
	if (version != KVM_API_VERSION)
		return log_fail(-ENOTSUP, "kvm", "not usable: it speaks version %d, not %d",
				version, KVM_API_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!extension(fd, needed[i].cap))
			return log_fail(-ENOTSUP, "kvm",
					"not usable: the kernel lacks KVM_CAP_%s; Linux 5.14 or "
					"later has it",
					needed[i].name);
	return 0;
}

/* Whether the CPU can deliver a device's interrupt into a running guest. The IOMMU must be able to
 * as well; that is not KVM's to know. */
static bool can_post(void)
{
	static const char *const switches[] = {"module/kvm_intel/parameters/enable_apicv",
					       "module/kvm_amd/parameters/avic"};
	struct sysfs fs;
	bool found = false;

	if (sysfs_open(&fs, "/sys") < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
		char value[8];

		if (sysfs_read(&fs, value, sizeof(value), "%s", switches[i]) == 0)
			found = found || value[0] == 'Y' || value[0] == '1';
	}
	sysfs_close(&fs);
	return found;
}

static void read_caps(struct hv_engine *engine)
{
	int khz = ioctl(engine->vm, KVM_GET_TSC_KHZ, 0ul); /* of a VM since Linux 5.17 */
	int vcpus = extension(engine->kvm, KVM_CAP_MAX_VCPUS);
	int slots = extension(engine->vm, KVM_CAP_NR_MEMSLOTS);
	int routes = extension(engine->vm, KVM_CAP_IRQ_ROUTING);
	int taken = engine->irqchip ? (int)HV_KVM_IRQCHIP_ROUTES : 0;

	engine->caps = (struct hv_engine_caps){
		.max_vcpus = vcpus > 0 ? (unsigned)vcpus : 4, /* api.rst, 4.4: 4 when not told */
		.max_memory_slots = slots > 0 ? (unsigned)slots : 32,
		.max_routes = (unsigned)MAX(routes - taken, 0),
		.posted_interrupts = can_post(),
		.stats = extension(engine->vm, KVM_CAP_BINARY_STATS_FD) > 0,
		.tsc_khz = khz > 0 ? (uint32_t)khz : 0,
	};
}

static int split_irqchip(struct hv_engine *engine, unsigned ioapic_pins)
{
	int rc = enable_cap(engine, KVM_CAP_SPLIT_IRQCHIP, ioapic_pins);

	return rc < 0 ? log_fail(rc, "kvm", "no VM: no split interrupt controller: %s",
				 strerror(-rc))
		      : 0;
}

/* What must be said before the first vCPU exists. */
static int configure(struct hv_engine *engine, const struct hv_engine_config *config)
{
	uint64_t identity = KVM_IDENTITY_MAP_AT;
	int rc;

	rc = kvm_ioctl(engine->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	if (rc == 0 && ioctl(engine->vm, KVM_SET_TSS_ADDR, KVM_TSS_AT) < 0)
		rc = -errno;
	if (rc < 0)
		return log_fail(rc, "kvm", "no VM: the TSS cannot be placed: %s", strerror(-rc));
	rc = config->irqchip ? hv_kvm_irqchip_create(engine, config->pit)
			     : split_irqchip(engine, config->ioapic_pins);
	if (rc < 0)
		return rc;
	rc = enable_cap(engine, KVM_CAP_X2APIC_API,
			KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK);
	if (rc < 0)
		return log_fail(rc, "kvm", "no VM: no 32-bit APIC IDs: %s", strerror(-rc));
	/* Only registers that KVM does not know come up to us; see exit.c for what becomes of them.
	 */
	rc = enable_cap(engine, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_UNKNOWN);
	if (rc < 0)
		return log_fail(rc, "kvm", "no VM: unknown MSRs cannot be seen: %s", strerror(-rc));
	return 0;
}

/* A kick must interrupt KVM_RUN, not the program. */
static void on_kick(int signal)
{
	(void)signal;
}

static int install_kick(void)
{
	struct sigaction action = {.sa_handler = on_kick, .sa_flags = SA_RESTART};

	return sigaction(hv_kvm_kick_signal(), &action, NULL) < 0 ? -errno : 0;
}

static void kvm_destroy(struct hv_engine *engine)
{
	if (!engine)
		return;
	io_close(&engine->stats);
	io_close(&engine->vfio);
	io_close(&engine->vm);
	free(engine->routing);
	free(engine);
}

/* KVM_CREATE_VM gives up with EINTR when a signal comes while it starts its threads. */
static int create_vm(int kvm)
{
	int fd;

	do
		fd = ioctl(kvm, KVM_CREATE_VM, 0ul);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return log_fail(-errno, "kvm", "no VM: %s%s", strerror(errno),
				errno == EBUSY ? "; another hypervisor holds the CPU" : "");
	return fd;
}

static int kvm_set_routes(struct hv_engine *engine, const uint32_t *gsi, const struct hv_msi *msi,
			  size_t count);

static int kvm_create(int fd, const struct hv_engine_config *config, struct hv_engine **out)
{
	struct hv_engine *engine;
	int rc = check_kvm(fd);

	if (rc < 0)
		return rc;
	engine = calloc(1, sizeof(*engine));
	if (!engine)
		return -ENOMEM;
	*engine = (struct hv_engine){.kvm = fd, .vm = -1, .vfio = -1, .stats = -1};
	rc = engine->run_size = ioctl(fd, KVM_GET_VCPU_MMAP_SIZE, 0ul);
	if (rc >= 0)
		rc = engine->vm = create_vm(fd);
	if (rc >= 0)
		rc = configure(engine, config);
	if (rc >= 0)
		rc = install_kick();
	if (rc < 0) {
		kvm_destroy(engine);
		return rc;
	}
	read_caps(engine);
	if (engine->caps.stats)
		engine->stats = ioctl(engine->vm, KVM_GET_STATS_FD, NULL);
	/* KVM's own table wires the timer differently. */
	rc = engine->irqchip ? kvm_set_routes(engine, NULL, NULL, 0) : 0;
	if (rc < 0) {
		kvm_destroy(engine);
		return rc;
	}
	*out = engine;
	return 0;
}

static void kvm_caps(const struct hv_engine *engine, struct hv_engine_caps *out)
{
	*out = engine->caps;
}

/* ---- CPUID ---- */

static struct hv_cpuid_entry from_kvm(const struct kvm_cpuid_entry2 *entry)
{
	return (struct hv_cpuid_entry){
		.leaf = entry->function,
		.subleaf = entry->index,
		.has_subleaf = entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = entry->eax,
		.ebx = entry->ebx,
		.ecx = entry->ecx,
		.edx = entry->edx,
	};
}

/* The kernel does not say how many there are, only whether they fit. NULL with errno. */
static struct kvm_cpuid2 *read_supported(int kvm)
{
	for (uint32_t room = 64; room <= 1024; room *= 2) {
		struct kvm_cpuid2 *cpuid =
			calloc(1, sizeof(*cpuid) + room * sizeof(cpuid->entries[0]));

		if (!cpuid)
			return NULL;
		cpuid->nent = room;
		if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) == 0)
			return cpuid;
		free(cpuid); /* keeps errno: POSIX.1-2024 */
		if (errno != E2BIG)
			return NULL;
	}
	return NULL;
}

struct hv_cpuid_entry *hv_kvm_cpuid_entries(const struct kvm_cpuid2 *cpuid)
{
	struct hv_cpuid_entry *out = calloc(cpuid->nent ? cpuid->nent : 1, sizeof(*out));

	for (uint32_t i = 0; out && i < cpuid->nent; i++)
		out[i] = from_kvm(&cpuid->entries[i]);
	return out;
}

/* KVM leaves this bit out, because it cannot know there that the local APICs will be its own
 * (api.rst, 4.46). */
static void add_deadline_timer(const struct hv_engine *engine, struct hv_cpuid_entry *entries,
			       size_t count)
{
	if (!extension(engine->kvm, KVM_CAP_TSC_DEADLINE_TIMER))
		return;
	for (size_t i = 0; i < count; i++)
		if (entries[i].leaf == 1)
			entries[i].ecx |= CPUID_1_ECX_TSC_DEADLINE;
}

static int kvm_supported_cpuid(struct hv_engine *engine, struct hv_cpuid_entry **out, size_t *count)
{
	struct kvm_cpuid2 *cpuid = read_supported(engine->kvm);

	if (!cpuid)
		return log_fail(-errno, "kvm", "CPUID not read: %s", strerror(errno));
	*out = hv_kvm_cpuid_entries(cpuid);
	if (*out) {
		add_deadline_timer(engine, *out, cpuid->nent);
		*count = cpuid->nent;
	}
	free(cpuid);
	return *out ? 0 : -ENOMEM;
}

/* ---- memory ---- */

static int kvm_map(struct hv_engine *engine, unsigned slot, uint64_t gpa, uint64_t size, void *hva,
		   bool read_only, bool dirty_log)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = (read_only ? KVM_MEM_READONLY : 0u) |
			 (dirty_log ? KVM_MEM_LOG_DIRTY_PAGES : 0u),
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return kvm_ioctl(engine->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static int kvm_unmap(struct hv_engine *engine, unsigned slot)
{
	return kvm_map(engine, slot, 0, 0, NULL, false, false);
}

static int kvm_dirty_log(struct hv_engine *engine, unsigned slot, uint64_t *bitmap)
{
	struct kvm_dirty_log log = {.slot = slot, .dirty_bitmap = bitmap};

	return kvm_ioctl(engine->vm, KVM_GET_DIRTY_LOG, &log);
}

/* ---- interrupts ---- */

static int kvm_msi_signal(struct hv_engine *engine, const struct hv_msi *msi)
{
	struct kvm_msi request = {
		.address_lo = (uint32_t)msi->addr,
		.address_hi = (uint32_t)(msi->addr >> 32),
		.data = msi->data,
	};
	int rc = kvm_ioctl(engine->vm, KVM_SIGNAL_MSI, &request);

	/* 0: all destinations have their APIC switched off; -EPERM is KVM's "no destination". */
	if (rc == 0 || rc == -EPERM)
		return -EAGAIN;
	return rc > 0 ? 0 : rc;
}

static int grow_routing(struct hv_engine *engine, size_t count)
{
	struct kvm_irq_routing *grown;

	if (count <= engine->routes_room && engine->routing)
		return 0;
	size_t room = ALIGN_UP(count + 1, (size_t)64);
	grown = realloc(engine->routing, sizeof(*grown) + room * sizeof(grown->entries[0]));
	if (!grown)
		return -ENOMEM;
	engine->routing = grown;
	engine->routes_room = (unsigned)room;
	return 0;
}

static int kvm_set_routes(struct hv_engine *engine, const uint32_t *gsi, const struct hv_msi *msi,
			  size_t count)
{
	if (count > engine->caps.max_routes)
		return -ENOSPC;
	int rc = grow_routing(engine, count + HV_KVM_IRQCHIP_ROUTES);
	if (rc < 0)
		return rc;
	size_t first = hv_kvm_irqchip_routes(engine, engine->routing->entries);
	engine->routing->nr = (uint32_t)(first + count);
	engine->routing->flags = 0;
	for (size_t i = 0; i < count; i++)
		engine->routing->entries[first + i] = (struct kvm_irq_routing_entry){
			.gsi = gsi[i],
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi.address_lo = (uint32_t)msi[i].addr,
			.u.msi.address_hi = (uint32_t)(msi[i].addr >> 32),
			.u.msi.data = msi[i].data,
		};
	return kvm_ioctl(engine->vm, KVM_SET_GSI_ROUTING, engine->routing);
}

static int kvm_irqfd_op(struct hv_engine *engine, int eventfd, uint32_t gsi, bool attach)
{
	struct kvm_irqfd request = {
		.fd = (uint32_t)eventfd,
		.gsi = gsi,
		.flags = attach ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	return kvm_ioctl(engine->vm, KVM_IRQFD, &request);
}

static int kvm_ioeventfd_op(struct hv_engine *engine, int eventfd, uint64_t addr, unsigned len,
			    bool pio, bool match, uint64_t value, bool attach)
{
	struct kvm_ioeventfd request = {
		.datamatch = value,
		.addr = addr,
		.len = len,
		.fd = eventfd,
		.flags = (pio ? 1u << kvm_ioeventfd_flag_nr_pio : 0u) |
			 (match ? 1u << kvm_ioeventfd_flag_nr_datamatch : 0u) |
			 (attach ? 0u : 1u << kvm_ioeventfd_flag_nr_deassign),
	};

	return kvm_ioctl(engine->vm, KVM_IOEVENTFD, &request);
}

/* Documentation/virt/kvm/devices/vfio.rst */
static int kvm_vfio_group(struct hv_engine *engine, int group_fd, bool add)
{
	int32_t fd = group_fd;
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_GROUP,
		.attr = add ? KVM_DEV_VFIO_GROUP_ADD : KVM_DEV_VFIO_GROUP_DEL,
		.addr = (uintptr_t)&fd,
	};

	if (engine->vfio < 0) {
		struct kvm_create_device device = {.type = KVM_DEV_TYPE_VFIO};
		int rc = add ? kvm_ioctl(engine->vm, KVM_CREATE_DEVICE, &device) : -ENOENT;

		if (rc < 0)
			return rc;
		engine->vfio = (int)device.fd;
	}
	return kvm_ioctl(engine->vfio, KVM_SET_DEVICE_ATTR, &attr);
}

const struct hv_engine_ops hv_engine_kvm = {
	.name = "kvm",
	.create = kvm_create,
	.destroy = kvm_destroy,
	.caps = kvm_caps,
	.supported_cpuid = kvm_supported_cpuid,
	.map = kvm_map,
	.unmap = kvm_unmap,
	.dirty_log = kvm_dirty_log,
	.vcpu_create = hv_kvm_vcpu_create,
	.vcpu_destroy = hv_kvm_vcpu_destroy,
	.vcpu_set_cpuid = hv_kvm_vcpu_set_cpuid,
	.vcpu_set_entry = hv_kvm_vcpu_set_entry,
	.vcpu_run = hv_kvm_vcpu_run,
	.vcpu_kick = hv_kvm_vcpu_kick,
	.vcpu_ready = hv_kvm_vcpu_ready,
	.vcpu_extint = hv_kvm_vcpu_extint,
	.vcpu_describe = hv_kvm_vcpu_describe,
	.msi_signal = kvm_msi_signal,
	.set_routes = kvm_set_routes,
	.irqfd = kvm_irqfd_op,
	.irq_line = hv_kvm_irq_line,
	.irqfd_level = hv_kvm_irqfd_level,
	.ioeventfd = kvm_ioeventfd_op,
	.vfio_group = kvm_vfio_group,
	.clock_stop = hv_kvm_clock_stop,
	.clock_start = hv_kvm_clock_start,
	.save = hv_kvm_save,
	.load = hv_kvm_load,
	.stats = hv_kvm_stats,
};
