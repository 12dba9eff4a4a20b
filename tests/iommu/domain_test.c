/* SPDX-License-Identifier: BSD-3-Clause */
/* A domain over a made-up VFIO (--wrap=ioctl): attach, what the container tells, maps, errors. */
#include <errno.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/util.h"
#include "iommu/iommu.h"

#define CONTAINER 100
#define GROUP	  101
#define GROUP2	  102

/* What the kernel would know. */
static struct vfio {
	int extension, set_iommu_error, map_error;
	bool viable, no_caps, bad_chain, loop_chain, long_ranges, no_dirty;
	bool tracking;
	unsigned groups, type_sets, maps, info_calls;
	struct vfio_iommu_type1_dma_map last;
	int device_error;
} vfio;

struct info {
	struct vfio_iommu_type1_info head;
	uint32_t pad;
	struct vfio_iommu_type1_info_dma_avail avail;
	uint32_t pad2;
	_Alignas(8) struct { /* vfio_iommu_type1_info_cap_iova_range with two ranges */
		struct vfio_info_cap_header header;
		uint32_t nr_iovas, reserved;
	} ranges;
	struct vfio_iova_range range[2];
	struct vfio_iommu_type1_info_cap_migration migration;
};

static int refuse(int err)
{
	errno = err;
	return -1;
}

static int get_info(void *arg)
{
	struct info info = {
		.head = {.argsz = sizeof(info),
			 .flags = VFIO_IOMMU_INFO_PGSIZES,
			 .iova_pgsizes = 0x40201000},
		.avail = {.header = {.id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, .version = 1},
			  .avail = 65535 - vfio.maps},
		.ranges = {.header = {.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, .version = 1},
			   .nr_iovas = vfio.long_ranges ? 1000 : 2},
		.range = {{0xfef00000, 0x7fffffffff}, {0, 0xfedfffff}},
		.migration = {.header = {.id = VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, .version = 1},
			      .pgsize_bitmap = 4096,
			      .max_dirty_bitmap_size = 4096},
	};
	uint32_t room;

	vfio.info_calls++;
	memcpy(&room, arg, sizeof(room));
	if (!vfio.no_caps && room >= sizeof(info)) {
		info.head.flags |= VFIO_IOMMU_INFO_CAPS;
		info.head.cap_offset = offsetof(struct info, avail);
		info.avail.header.next = offsetof(struct info, ranges);
		if (!vfio.no_dirty)
			info.ranges.header.next = offsetof(struct info, migration);
		if (vfio.loop_chain)
			info.avail.header.next = offsetof(struct info, avail);
		if (vfio.bad_chain)
			info.head.cap_offset = sizeof(info) - 4;
	}
	memcpy(arg, &info, MIN(room, sizeof(info)));
	return 0;
}

static int group_ioctl(unsigned long request, void *arg)
{
	struct vfio_group_status *status = arg;

	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		status->flags = vfio.viable ? VFIO_GROUP_FLAGS_VIABLE : 0;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
		assert_int_equal(*(int *)arg, CONTAINER);
		vfio.groups++;
		return 0;
	case VFIO_GROUP_UNSET_CONTAINER:
		vfio.groups--;
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return vfio.device_error ? refuse(vfio.device_error) : 77;
	}
	return refuse(ENOTTY);
}

static int dirty_pages(const struct vfio_iommu_type1_dirty_bitmap *arg)
{
	struct vfio_iommu_type1_dirty_bitmap_get get;

	if (arg->flags != VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP) {
		vfio.tracking = arg->flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
		return 0;
	}
	if (!vfio.tracking)
		return refuse(EINVAL);
	memcpy(&get, arg->data, sizeof(get));
	assert_int_equal(get.bitmap.pgsize, 4096);
	assert_int_equal(get.bitmap.size, 16);
	memset(get.bitmap.data, 0xa5, get.bitmap.size);
	return 0;
}

static int container_ioctl(unsigned long request, void *arg)
{
	struct vfio_iommu_type1_dma_unmap *unmap = arg;

	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return vfio.extension;
	case VFIO_SET_IOMMU:
		assert_int_equal((uintptr_t)arg, VFIO_TYPE1v2_IOMMU);
		assert_true(vfio.groups > 0);
		vfio.type_sets++;
		return vfio.set_iommu_error ? refuse(vfio.set_iommu_error) : 0;
	case VFIO_IOMMU_GET_INFO:
		return get_info(arg);
	case VFIO_IOMMU_MAP_DMA:
		if (vfio.map_error)
			return refuse(vfio.map_error);
		memcpy(&vfio.last, arg, sizeof(vfio.last));
		vfio.maps++;
		return 0;
	case VFIO_IOMMU_DIRTY_PAGES:
		return dirty_pages(arg);
	case VFIO_IOMMU_UNMAP_DMA:
		assert_true(unmap->size > 0);
		vfio.maps--;
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
	return fd == CONTAINER ? container_ioctl(request, arg) : group_ioctl(request, arg);
}

static int setup(void **state)
{
	struct iommu_domain *domain;

	vfio = (struct vfio){.extension = 1, .viable = true};
	if (iommu_domain_create(CONTAINER, &domain) ||
	    iommu_domain_attach(domain, GROUP, "0000:01:10.0"))
		return -1;
	*state = domain;
	return 0;
}

static int teardown(void **state)
{
	iommu_domain_destroy(*state);
	return vfio.maps || vfio.groups; /* nothing may be left */
}

static void *ram(uint64_t at)
{
	return (void *)(uintptr_t)(0x7f0000000000 + at);
}

static void test_create(void **state)
{
	struct iommu_domain *domain;
	struct iommu_info info;
	(void)state;
	vfio = (struct vfio){.viable = true};
	assert_int_equal(iommu_domain_create(CONTAINER, &domain), -EOPNOTSUPP);
	vfio.extension = 1;
	assert_int_equal(iommu_domain_create(CONTAINER, &domain), 0);
	assert_int_equal(iommu_domain_info(domain, &info), -EINVAL); /* nothing attached */
	assert_int_equal(iommu_map(domain, 0, 4096, ram(0), IOMMU_READ), -EINVAL);
	vfio.viable = false;
	assert_int_equal(iommu_domain_attach(domain, GROUP, "x"), -EPERM);
	vfio.viable = true;
	vfio.set_iommu_error = EPERM; /* no interrupt remapping */
	assert_int_equal(iommu_domain_attach(domain, GROUP, "x"), -EPERM);
	assert_int_equal(vfio.groups, 0); /* taken out again */
	iommu_domain_destroy(domain);
	iommu_domain_destroy(NULL);
}

static void test_attach_twice(void **state)
{
	struct iommu_domain *domain = *state;

	assert_int_equal(vfio.type_sets, 1);
	assert_int_equal(iommu_domain_attach(domain, GROUP, "x"), 0);
	assert_int_equal(vfio.groups, 1);
	assert_int_equal(iommu_domain_attach(domain, GROUP2, "y"), 0);
	assert_int_equal(vfio.groups, 2);
	assert_int_equal(vfio.type_sets, 1); /* the first group chose */
	iommu_domain_detach(domain, GROUP);
	assert_int_equal(iommu_device_open(domain, GROUP, "x"), -EINVAL);
	assert_int_equal(iommu_device_open(domain, GROUP2, "y"), 77);
	iommu_domain_detach(domain, GROUP); /* again: nothing */
	assert_int_equal(vfio.groups, 1);
}

static void test_info(void **state)
{
	struct iommu_domain *domain = *state;
	struct iommu_info info;

	assert_int_equal(iommu_domain_info(domain, &info), 0);
	assert_int_equal(info.usable_count, 2);
	assert_int_equal(info.usable[0].start, 0); /* sorted */
	assert_int_equal(info.usable[0].last, 0xfedfffff);
	assert_int_equal(info.usable[1].last, 0x7fffffffff);
	assert_int_equal(info.page_sizes, 0x40201000);
	assert_int_equal(info.maps_left, 65535);
	assert_int_equal(iommu_map(domain, 0, MIB, ram(0), IOMMU_READ), 0);
	assert_int_equal(iommu_domain_info(domain, &info), 0);
	assert_int_equal(info.maps_left, 65534);
}

static void test_bad_info(void **state)
{
	struct iommu_domain *domain = *state;
	struct iommu_info info;

	vfio.no_caps = true; /* a kernel before 5.4 */
	assert_int_equal(iommu_domain_info(domain, &info), 0);
	assert_int_equal(info.usable_count, 0);
	assert_int_equal(info.maps_left, UINT32_MAX);
	vfio.no_caps = false;
	vfio.bad_chain = true; /* a header across the end */
	assert_int_equal(iommu_domain_info(domain, &info), 0);
	assert_int_equal(info.usable_count, 0);
	vfio.bad_chain = false;
	vfio.loop_chain = true; /* must end */
	assert_int_equal(iommu_domain_info(domain, &info), 0);
	assert_int_equal(info.usable_count, 0);
	vfio.loop_chain = false;
	vfio.long_ranges = true; /* more ranges than there is answer */
	assert_int_equal(iommu_domain_info(domain, &info), -EPROTO);
}

static void test_map(void **state)
{
	struct iommu_domain *domain = *state;
	const struct iommu_map_entry *maps;
	unsigned rw = IOMMU_READ | IOMMU_WRITE;

	assert_int_equal(iommu_map(domain, GIB, GIB, ram(GIB), rw), 0);
	assert_int_equal(vfio.last.flags, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
	assert_int_equal(vfio.last.vaddr, (uintptr_t)ram(GIB));
	assert_int_equal(iommu_map(domain, 0, MIB, ram(0), rw), 0);
	assert_int_equal(iommu_map(domain, 4 * GIB, MIB, ram(9), rw), -EINVAL); /* misaligned */
	assert_int_equal(iommu_map(domain, 4 * GIB, MIB, ram(0), IOMMU_READ), 0);
	assert_int_equal(iommu_domain_maps(domain, &maps), 3);
	assert_int_equal(maps[0].iova, 0);
	assert_int_equal(maps[1].iova, GIB);
	assert_int_equal(maps[2].iova, 4 * GIB);

	assert_int_equal(iommu_map(domain, GIB, GIB, ram(GIB), rw), 0); /* the very same */
	assert_int_equal(vfio.maps, 3);
	assert_int_equal(iommu_map(domain, GIB, GIB, ram(0), rw), -EEXIST);
	assert_int_equal(iommu_map(domain, GIB, GIB, ram(GIB), IOMMU_READ), -EEXIST);
	assert_int_equal(iommu_map(domain, 2 * GIB - 4096, 8192, ram(0), rw), -EEXIST);
	assert_int_equal(iommu_map(domain, 0, 2 * GIB, ram(0), rw), -EEXIST);
	assert_int_equal(iommu_map(domain, 2 * GIB, 4096, ram(0), rw), 0); /* just beside */
	assert_int_equal(vfio.maps, 4);

	assert_int_equal(iommu_unmap(domain, GIB, MIB), -ENOENT); /* only the whole */
	assert_int_equal(iommu_unmap(domain, GIB + 4096, GIB), -ENOENT);
	assert_int_equal(iommu_unmap(domain, GIB, GIB), 0);
	assert_int_equal(iommu_unmap(domain, GIB, GIB), -ENOENT);
	assert_int_equal(iommu_domain_maps(domain, &maps), 3);
	assert_int_equal(vfio.maps, 3);
}

static void test_map_refused(void **state)
{
	struct iommu_domain *domain = *state;
	const struct iommu_map_entry *maps;

	assert_int_equal(iommu_map(domain, 0, 0, ram(0), IOMMU_READ), -EINVAL);
	assert_int_equal(iommu_map(domain, 0, 4096, ram(0), 0), -EINVAL);
	assert_int_equal(iommu_map(domain, 0, 4096, ram(0), 8), -EINVAL);
	assert_int_equal(iommu_map(domain, UINT64_MAX - 4095, 8192, ram(0), 3), -EINVAL);
	assert_int_equal(iommu_map(domain, 0xfee00000, 4096, ram(0), 3), -EINVAL);
	assert_int_equal(iommu_map(domain, 0xfed00000, 4 * MIB, ram(0), 3), -EINVAL);
	assert_int_equal(iommu_map(domain, 0x8000000000, 4096, ram(0), 3), -EINVAL);
	assert_int_equal(iommu_map(domain, 0xfee00000, 4096, ram(0), 3 | IOMMU_PEER), -EINVAL);
	static const int errors[] = {ENOMEM, ENOSPC, EFAULT, EIO};
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		vfio.map_error = errors[i];
		assert_int_equal(iommu_map(domain, 0, 4096, ram(0), 3), -errors[i]);
		assert_int_equal(iommu_map(domain, 0, 4096, ram(0), 3 | IOMMU_PEER), -errors[i]);
	}
	assert_int_equal(iommu_domain_maps(domain, &maps), 0);
}

static void test_many_maps(void **state)
{
	struct iommu_domain *domain = *state;
	const struct iommu_map_entry *maps;

	for (uint64_t i = 0; i < 100; i++) { /* in no order: 37 and 100 are coprime */
		uint64_t at = i * 37 % 100 * MIB;
		assert_int_equal(iommu_map(domain, at, MIB, ram(at), 3), 0);
	}
	assert_int_equal(iommu_domain_maps(domain, &maps), 100);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(maps[i].iova, i * MIB);
}

static void test_last_detach(void **state)
{
	struct iommu_domain *domain = *state;
	const struct iommu_map_entry *maps;

	assert_int_equal(iommu_map(domain, 0, MIB, ram(0), 3), 0);
	iommu_domain_detach(domain, GROUP);
	vfio.maps = 0; /* the kernel forgets them with its backend */
	assert_int_equal(iommu_domain_maps(domain, &maps), 0);
	assert_int_equal(iommu_domain_attach(domain, GROUP2, "y"), 0);
	assert_int_equal(vfio.type_sets, 2);
	assert_int_equal(iommu_map(domain, 0, MIB, ram(0), 3), 0);
}

static void test_device(void **state)
{
	static const int errors[] = {ENODEV, EBUSY, EACCES, EINVAL, EPERM};

	assert_int_equal(iommu_device_open(*state, GROUP, "0000:01:10.0"), 77);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		vfio.device_error = errors[i];
		log_forget();
		assert_int_equal(iommu_device_open(*state, GROUP, "0000:01:10.0"), -errors[i]);
		assert_int_equal(strstr(log_last(),
					"its PF is in user space and asks for a vf_token") != NULL,
				 errors[i] == EACCES);
	}
}

static void test_dirty(void **state)
{
	struct iommu_domain *domain = *state;
	struct iommu_info info;
	uint64_t bits[2] = {0};

	assert_string_equal(iommu_domain_backend(domain), "vfio-type1");
	assert_int_equal(iommu_dirty_read(domain, 0, 65 * 4096, bits), -EINVAL); /* not on */
	assert_int_equal(iommu_dirty_start(domain), 0);
	assert_int_equal(iommu_dirty_read(domain, 0, 65 * 4096, bits), 0); /* two words */
	assert_int_equal(bits[1], 0xa5a5a5a5a5a5a5a5);
	assert_int_equal(iommu_dirty_read(domain, 0, 100, bits), -EINVAL);
	assert_int_equal(iommu_dirty_read(domain, 0, 0, bits), -EINVAL);
	assert_int_equal(iommu_dirty_read(domain, 0, GIB, bits), -E2BIG);
	assert_int_equal(iommu_dirty_stop(domain), 0);
	assert_false(vfio.tracking);
	vfio.no_dirty = true; /* a kernel that has it no more */
	assert_int_equal(iommu_domain_info(domain, &info), 0);
	assert_int_equal(iommu_dirty_start(domain), -EOPNOTSUPP);
	assert_int_equal(iommu_dirty_read(domain, 0, 4096, bits), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test_setup_teardown(test_attach_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_info, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_info, setup, teardown),
		cmocka_unit_test_setup_teardown(test_map, setup, teardown),
		cmocka_unit_test_setup_teardown(test_map_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_maps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_detach, setup, teardown),
		cmocka_unit_test_setup_teardown(test_device, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dirty, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
