/* SPDX-License-Identifier: BSD-3-Clause */
/* A domain over a made-up /dev/iommu (--wrap=ioctl): chosen by itself, attach, maps, refusals. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "iommu/iommu.h"

#define IOMMU_FD 100
#define DEVICE	 101
#define DEVICE2	 102

#define CALL(number) _IO(';', number)

/* What the kernel would know. */
static struct kernel {
	unsigned spaces, bound, attached, maps, last_flags;
	int bind_error, attach_error, map_error, ranges_error;
	uint32_t ranges;
	uint64_t align;
} kernel;

static int refuse(int err)
{
	errno = err;
	return -1;
}

static int iova_ranges(uint32_t *arg)
{
	uint64_t pointer;

	if (kernel.ranges_error)
		return refuse(kernel.ranges_error);
	memcpy(&pointer, arg + 4, sizeof(pointer));
	memcpy(arg + 6, &kernel.align, sizeof(kernel.align));
	if (arg[2] < kernel.ranges) {
		arg[2] = kernel.ranges;
		return refuse(EMSGSIZE);
	}
	const uint64_t ranges[4] = {0xfef00000, 0x7fffffffff, 0, 0xfedfffff};
	memcpy((void *)(uintptr_t)pointer, ranges, sizeof(ranges)); /* NOLINT: a user pointer */
	return 0;
}

static int iommufd_ioctl(unsigned long request, uint32_t *arg)
{
	switch (request) {
	case CALL(0x80):
		assert_int_equal(arg[1], 7);
		kernel.spaces--;
		return 0;
	case CALL(0x81):
		assert_int_equal(arg[0], 12);
		arg[2] = 7;
		kernel.spaces++;
		return 0;
	case CALL(0x84):
		return iova_ranges(arg);
	case CALL(0x85):
		if (kernel.map_error)
			return refuse(kernel.map_error);
		assert_int_equal(arg[0], 40);
		assert_int_equal(arg[2], 7);
		kernel.last_flags = arg[1];
		kernel.maps++;
		return 0;
	case CALL(0x86):
		kernel.maps--;
		return 0;
	}
	return refuse(ENOTTY);
}

static int device_ioctl(unsigned long request, const uint32_t *arg)
{
	switch (request) {
	case CALL(118):
		assert_int_equal(arg[2], IOMMU_FD);
		kernel.bound++;
		return kernel.bind_error ? refuse(kernel.bind_error) : 0;
	case CALL(119):
		assert_int_equal(arg[2], 7);
		if (kernel.attach_error)
			return refuse(kernel.attach_error);
		kernel.attached++;
		return 0;
	case CALL(120):
		kernel.attached--;
		return 0;
	}
	return refuse(ENOTTY);
}

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	va_start(args, request);
	void *arg = va_arg(args, void *);
	va_end(args);
	return fd == IOMMU_FD ? iommufd_ioctl(request, arg) : device_ioctl(request, arg);
}

static int setup(void **state)
{
	struct iommu_domain *domain;

	kernel = (struct kernel){.ranges = 2, .align = 4096};
	if (iommu_domain_create(IOMMU_FD, &domain) ||
	    iommu_domain_attach(domain, DEVICE, "0000:01:10.0"))
		return -1;
	*state = domain;
	return 0;
}

static int teardown(void **state)
{
	iommu_domain_destroy(*state);
	return kernel.maps || kernel.attached || kernel.spaces; /* nothing may be left */
}

static void *ram(uint64_t at)
{
	return (void *)(uintptr_t)(0x7f0000000000 + at); /* NOLINT: never touched */
}

static void test_attach(void **state)
{
	struct iommu_domain *domain = *state;
	struct iommu_info info;
	uint64_t bits;

	assert_string_equal(iommu_domain_backend(domain), "iommufd");
	assert_int_equal(iommu_domain_attach(domain, DEVICE, "x"), 0); /* again: nothing */
	assert_int_equal(kernel.attached, 1);
	assert_int_equal(iommu_domain_attach(domain, DEVICE2, "y"), 0);
	assert_int_equal(kernel.spaces, 1); /* both in one */
	assert_int_equal(iommu_domain_info(domain, &info), 0);
	assert_int_equal(info.usable_count, 2);
	assert_int_equal(info.usable[0].last, 0xfedfffff); /* sorted */
	assert_int_equal(info.page_sizes, 4096);
	assert_int_equal(info.maps_left, UINT32_MAX);
	assert_int_equal(iommu_dirty_start(domain), -EOPNOTSUPP);
	assert_int_equal(iommu_dirty_read(domain, 0, 4096, &bits), -EOPNOTSUPP);
	iommu_domain_detach(domain, DEVICE);
	assert_int_equal(kernel.spaces, 1);
	iommu_domain_detach(domain, DEVICE2);
	assert_int_equal(kernel.spaces, 0);
	assert_int_equal(iommu_domain_attach(domain, DEVICE, "x"), 0); /* and once more */
}

static void test_maps(void **state)
{
	struct iommu_domain *domain = *state;

	assert_int_equal(iommu_map(domain, 0, MIB, ram(0), IOMMU_READ | IOMMU_WRITE), 0);
	assert_int_equal(kernel.last_flags, 7);
	assert_int_equal(iommu_map(domain, MIB, MIB, ram(MIB), IOMMU_READ), 0);
	assert_int_equal(kernel.last_flags, 5);
	assert_int_equal(iommu_map(domain, 0, MIB, ram(0), IOMMU_READ | IOMMU_WRITE), 0);
	assert_int_equal(kernel.maps, 2); /* the very same: nothing */
	assert_int_equal(iommu_map(domain, 4096, MIB, ram(0), IOMMU_READ), -EEXIST);
	assert_int_equal(iommu_map(domain, 0xfee00000, 4096, ram(0), IOMMU_READ), -EINVAL);
	kernel.map_error = ENOMEM;
	assert_int_equal(iommu_map(domain, GIB, MIB, ram(0), IOMMU_READ), -ENOMEM);
	assert_int_equal(iommu_unmap(domain, MIB, MIB), 0);
	assert_int_equal(kernel.maps, 1);
}

static void test_refused(void **state)
{
	struct iommu_domain *domain;
	(void)state;

	kernel = (struct kernel){.ranges = 2, .align = 4096, .bind_error = EPERM};
	assert_int_equal(iommu_domain_create(IOMMU_FD, &domain), 0);
	assert_int_equal(iommu_domain_attach(domain, DEVICE, "x"), -EPERM);
	kernel.bind_error = EINVAL; /* bound before, by a machine that was reset */
	assert_int_equal(iommu_domain_attach(domain, DEVICE, "x"), 0);
	iommu_domain_detach(domain, DEVICE);
	kernel.attach_error = EBUSY;
	assert_int_equal(iommu_domain_attach(domain, DEVICE, "x"), -EBUSY);
	assert_int_equal(kernel.spaces, 0);
	kernel.attach_error = 0;
	kernel.ranges = 100000; /* no kernel has so many */
	assert_int_equal(iommu_domain_attach(domain, DEVICE, "x"), -EPROTO);
	kernel.ranges_error = EIO;
	assert_int_equal(iommu_domain_attach(domain, DEVICE, "x"), -EIO);
	assert_int_equal(kernel.attached, 0);
	assert_int_equal(kernel.spaces, 0);
	iommu_domain_destroy(domain);
}

static void test_device(void **state)
{
	struct iommu_domain *domain = *state;
	int null = open("/dev/null", O_RDONLY);

	assert_int_equal(iommu_device_open(domain, DEVICE2, "y"), -EINVAL);
	assert_int_equal(iommu_domain_attach(domain, null, "z"), 0);
	int copy = iommu_device_open(domain, null, "z"); /* what was attached is the device */
	assert_true(copy >= 3 && copy != null);
	close(copy);
	iommu_domain_detach(domain, null);
	close(null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_attach, setup, teardown),
		cmocka_unit_test_setup_teardown(test_maps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_device, setup, teardown),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
