/* SPDX-License-Identifier: BSD-3-Clause */
/* Pictures of a display plane: pixel by pixel from a region and from a buffer; and of planes whose
 * numbers, which a guest may choose, do not lie in the device's memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/vdev/rig.h"

#define WIDTH  20u
#define HEIGHT 16u
#define PITCH  96u
#define XR24   0x34325258u

static const struct vfio_device_gfx_plane_info good = {
	.argsz = sizeof(good),
	.drm_format = XR24,
	.width = WIDTH,
	.height = HEIGHT,
	.stride = PITCH,
	.size = PITCH * HEIGHT,
	.region_index = VFIO_PCI_BAR0_REGION_INDEX,
};

static uint32_t pixel(unsigned x, unsigned y)
{
	return 0x010000 * x + 0x0100 * y + (x ^ y);
}

static int out_file(void)
{
	int fd = memfd_create("picture", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void assert_picture(int fd, const struct vdev_picture *picture)
{
	assert_int_equal(picture->width, WIDTH);
	assert_int_equal(picture->height, HEIGHT);
	assert_int_equal(lseek(fd, 0, SEEK_END), WIDTH * HEIGHT * 4);
	for (unsigned y = 0; y < HEIGHT; y++)
		for (unsigned x = 0; x < WIDTH; x++) {
			uint32_t is;
			assert_int_equal(pread(fd, &is, 4, (y * WIDTH + x) * 4), 4);
			assert_int_equal(is, pixel(x, y));
		}
}

static void test_region(void **state)
{
	const struct fake_vfio_config vf = {.vectors = 3};
	struct rig *rig = rig_create(&vf);
	struct vdev_picture picture;
	int fd = out_file();

	(void)state;
	assert_int_equal(vdev_vfio_picture(rig->machine, 0, fd, &picture), -ENOTTY);
	assert_int_equal(vdev_vfio_picture(rig->machine, 1, fd, &picture), -ENODEV);
	rig->vfio->plane = good;
	for (unsigned y = 0; y < HEIGHT; y++)
		for (unsigned x = 0; x < WIDTH; x++)
			fake_vfio_bar_set(rig->vfio, 0, y * PITCH + 4 * x, pixel(x, y));
	assert_int_equal(vdev_vfio_picture(rig->machine, 0, fd, &picture), 0);
	assert_picture(fd, &picture);
	close(fd);
	rig_destroy(rig);
}

static void test_buffer(void **state)
{
	const struct fake_vfio_config vf = {.vectors = 3};
	struct rig *rig = rig_create(&vf);
	struct vdev_picture picture;
	int fd = out_file(), buffer = out_file();

	(void)state;
	for (unsigned y = 0; y < HEIGHT; y++)
		for (unsigned x = 0; x < WIDTH; x++) {
			uint32_t is = pixel(x, y);
			assert_int_equal(pwrite(buffer, &is, 4, y * PITCH + 4 * x), 4);
		}
	assert_int_equal(ftruncate(buffer, PITCH * HEIGHT), 0);
	rig->vfio->plane = good;
	rig->vfio->plane_fd = buffer;
	assert_int_equal(vdev_vfio_picture(rig->machine, 0, fd, &picture), 0);
	assert_picture(fd, &picture);
	close(fd);
	close(buffer);
	rig_destroy(rig);
}

static void test_hostile(void **state)
{
	const struct fake_vfio_config vf = {.vectors = 3};
	const struct {
		uint32_t width, height, stride, size, region, format;
	} bad[] = {
		{0, HEIGHT, PITCH, PITCH * HEIGHT, 0, XR24},
		{WIDTH, 0, PITCH, PITCH * HEIGHT, 0, XR24},
		{WIDTH, HEIGHT, 4, PITCH * HEIGHT, 0, XR24},	      /* rows overlap */
		{WIDTH, HEIGHT, PITCH, PITCH * HEIGHT - 80, 0, XR24}, /* ends too early */
		{WIDTH, 16385, PITCH, UINT32_MAX, 0, XR24},	      /* too high */
		{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, 0, XR24},
		{4096, 4096, 16384, UINT32_MAX, 0, XR24},	       /* larger than the BAR */
		{WIDTH, HEIGHT, PITCH, PITCH * HEIGHT, 1, XR24},       /* a BAR that is not there */
		{WIDTH, HEIGHT, PITCH, PITCH * HEIGHT, 99, XR24},      /* nor is this region */
		{WIDTH, HEIGHT, PITCH, PITCH * HEIGHT, 0, 0x36314752}, /* RG16 */
	};
	struct rig *rig = rig_create(&vf);
	struct vdev_picture picture;
	int fd = out_file();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		rig->vfio->plane = good;
		rig->vfio->plane.width = bad[i].width;
		rig->vfio->plane.height = bad[i].height;
		rig->vfio->plane.stride = bad[i].stride;
		rig->vfio->plane.size = bad[i].size;
		rig->vfio->plane.region_index = bad[i].region;
		rig->vfio->plane.drm_format = bad[i].format;
		assert_true(vdev_vfio_picture(rig->machine, 0, fd, &picture) < 0);
		assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	}
	close(fd);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_region),
		cmocka_unit_test(test_buffer),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
