/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conformance: one of our Multiboot test kernels on the machine's own /dev/kvm, with nothing but a
 * serial port to speak through and an exit port: hv-core from the file to the last exit.
 *
 * mb-environment alone, because it never takes an interrupt, which not every restricted KVM can
 * return from. Ends with 77, a skip, where /dev/kvm does not run guests.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "hv-core/hv.h"

#define KERNEL	  "build/guest/mb-environment"
#define TIMEOUT_S 60
#define STATUS	  37

struct guest {
	struct hv_vm *vm;
	struct hv_region *serial, *exit;
	char said[8192];
	size_t len;
	uint8_t status;
};

static void serial_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	(void)opaque;
	memset(data, offset == 5 ? 0x60 : 0, len); /* line status: empty */
}

static void serial_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct guest *g = opaque;

	if (offset == 0 && len == 1 && g->len < sizeof(g->said) - 1)
		g->said[g->len++] = *(const char *)data;
}

static void exit_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	(void)opaque, (void)offset;
	memset(data, 0, len);
}

static void exit_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct guest *g = opaque;

	(void)offset, (void)len;
	g->status = *(const uint8_t *)data;
	hv_vm_end(g->vm, HV_END_STATUS);
}

static const struct hv_region_ops serial_ops = {.read = serial_read, .write = serial_write};
static const struct hv_region_ops exit_ops = {.read = exit_read, .write = exit_write};

static int memory_file(const char *text)
{
	int fd = memfd_create("module", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static int boot(struct guest *g, int kernel, int module)
{
	const struct hv_acpi_config acpi = {.sleep_port = 0x600,
					    .reset_port = 0x604,
					    .reset_value = 0x42,
					    .event_port = 0x608,
					    .event_gsi = 9};
	const struct hv_boot_config config = {
		.kernel_fd = kernel,
		.kernel_name = KERNEL,
		.initrd_fd = module,
		.initrd_name = "module",
		.cmdline = "a b",
		.acpi = &acpi,
		.cache_dir = -1,
	};

	return hv_boot(g->vm, &config);
}

static void test_environment(void **state)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC),
	    module = memory_file("NR_CPUS=1\nEXIT=37\n");
	int kernel = open(KERNEL, O_RDONLY | O_CLOEXEC);
	const struct hv_config config = {.name = "test",
					 .engine = &hv_engine_kvm,
					 .engine_fd = kvm,
					 .cpus = 1,
					 .ram = 64 * MIB,
					 .pages = HV_PAGES_4K};
	struct guest g = {0};

	(void)state;
	assert_true(kernel >= 0);
	assert_int_equal(hv_kernel_kind(kernel), HV_KERNEL_MULTIBOOT);
	assert_int_equal(hv_vm_create(&config, &g.vm), 0);
	assert_int_equal(hv_bus_add(g.vm, HV_PIO, "serial", 0x3f8, 8, &serial_ops, &g, &g.serial),
			 0);
	assert_int_equal(hv_bus_add(g.vm, HV_PIO, "exit", 0xf4, 4, &exit_ops, &g, &g.exit), 0);
	assert_int_equal(boot(&g, kernel, module), 0);
	hv_timing_set(g.vm, true);
	assert_int_equal(hv_vm_start(g.vm), 0);
	assert_int_equal(hv_vm_wait(g.vm), HV_END_STATUS);
	if (g.status != STATUS || strstr(g.said, "not ok"))
		print_message("%s", g.said);
	assert_int_equal(g.status, STATUS);
	assert_non_null(strstr(g.said, "ok - the RSDP's checksum is right"));
	assert_null(strstr(g.said, "not ok"));

	struct hv_vcpu_stat stat;
	hv_stat_vcpu(g.vm, 0, &stat);
	assert_true(stat.exits[HV_EXIT_IO_WRITE] >= g.len);
	assert_true(stat.ns[HV_EXIT_IO_WRITE] > 0);
	hv_bus_remove(g.vm, g.serial);
	hv_bus_remove(g.vm, g.exit);
	hv_vm_destroy(g.vm);
	close(kernel);
	close(module);
	close(kvm);
}

/* The smallest question: does it make a VM with a CPU at all? */
static int probe(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	const struct hv_config config = {.name = "probe",
					 .engine = &hv_engine_kvm,
					 .engine_fd = kvm,
					 .cpus = 1,
					 .ram = 16 * MIB,
					 .pages = HV_PAGES_4K};
	struct hv_vm *vm = NULL;
	int err = kvm < 0 ? -errno : hv_vm_create(&config, &vm);

	hv_vm_destroy(vm);
	if (kvm >= 0)
		close(kvm);
	if (err < 0)
		printf("SKIP: no VM can be made on /dev/kvm here: %s\n", strerror(-err));
	return err;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_environment),
	};

	alarm(TIMEOUT_S);
	if (probe() < 0)
		return 77;
	return cmocka_run_group_tests_name("kvm/conformance", tests, NULL, NULL);
}
