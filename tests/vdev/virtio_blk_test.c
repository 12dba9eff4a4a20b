/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_blk: a disk on a real file, through io_uring, with a driver in the same process. */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_pci.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/vdev/guest_virtio.h"
#include "vdev/virtio.h"
#include "vdev/virtio_blk.h"

#define V1	  VDEV_FEATURE(VIRTIO_F_VERSION_1)
#define FLUSH	  VDEV_FEATURE(VIRTIO_BLK_F_FLUSH)
#define DISK_SIZE (8 * MIB)
#define HEADER	  GUEST_DATA
#define STATUS	  (GUEST_DATA + 0x100u)
#define BUFFER	  (GUEST_DATA + 0x1000u)

struct rig {
	struct guest_virtio g;
	struct vdev_function *fn;
	int fd; /* a second one of the file */
	char path[64];
};

static struct vdev_disk_config config_of(struct rig *rig, int flags)
{
	return (struct vdev_disk_config){
		.name = "disk test",
		.fd = open(rig->path, O_RDWR | O_CLOEXEC | flags),
		.serial = "S-42",
		.queues = 2,
	};
}

static struct rig *set_up(const struct vdev_disk_config *wanted, int flags)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct vdev_disk_config config;

	strcpy(rig->path, "/var/tmp/sluice-blk-XXXXXX");
	rig->fd = mkstemp(rig->path);
	assert_true(rig->fd >= 0);
	assert_int_equal(ftruncate(rig->fd, DISK_SIZE), 0);
	config = config_of(rig, flags);
	if (wanted) {
		config.read_only = wanted->read_only;
		config.iops = wanted->iops;
	}
	guest_virtio_init(&rig->g);
	assert_int_equal(vdev_blk_create(rig->g.vm, rig->g.loop, &config, &rig->fn), 0);
	guest_virtio_attach(&rig->g, rig->fn);
	return rig;
}

static void tear_down(struct rig *rig)
{
	guest_virtio_finish(&rig->g);
	close(rig->fd);
	unlink(rig->path);
	free(rig);
}

static void put_request(struct rig *rig, unsigned queue, unsigned n, uint32_t type, uint64_t sector,
			uint64_t gpa, uint32_t len)
{
	uint64_t header = HEADER + n * 16, status = STATUS + n;
	bool write = type == VIRTIO_BLK_T_OUT || type >= VIRTIO_BLK_T_DISCARD;
	struct guest_buf buf[3] = {{header, 16, false}, {gpa, len, !write}, {status, 1, true}};

	*(struct virtio_blk_outhdr *)hv_mem_ptr(rig->g.vm, header, 16) =
		(struct virtio_blk_outhdr){.type = type, .sector = sector};
	*(uint8_t *)hv_mem_ptr(rig->g.vm, status, 1) = 0xaa;
	if (!len)
		buf[1] = buf[2];
	assert_true(guest_ring_add(&rig->g.ring[queue], buf, len ? 3 : 2, false) >= 0);
}

static uint8_t status_of(struct rig *rig, unsigned n)
{
	return *(uint8_t *)hv_mem_ptr(rig->g.vm, STATUS + n, 1);
}

static uint8_t request(struct rig *rig, uint32_t type, uint64_t sector, uint64_t gpa, uint32_t len)
{
	uint32_t written;

	put_request(rig, 0, 0, type, sector, gpa, len);
	guest_kick(&rig->g, 0);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	return status_of(rig, 0);
}

static uint8_t *bytes(struct rig *rig, uint64_t gpa)
{
	return hv_mem_ptr(rig->g.vm, gpa, 1);
}

static void fill(struct rig *rig, uint64_t gpa, uint32_t len, unsigned seed)
{
	for (uint32_t i = 0; i < len; i++)
		bytes(rig, gpa)[i] = (uint8_t)((i * 31 + i / 512 + seed) & 0xff);
}

static void data_path(int flags, uint64_t features)
{
	struct rig *rig = set_up(NULL, flags);
	uint8_t file[8192];

	guest_bring_up(&rig->g, features, 2);
	fill(rig, BUFFER, 8192, 3);
	assert_int_equal(request(rig, VIRTIO_BLK_T_OUT, 100, BUFFER, 8192), VIRTIO_BLK_S_OK);
	assert_int_equal(request(rig, VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(pread(rig->fd, file, 8192, 100 * 512), 8192);
	assert_memory_equal(file, bytes(rig, BUFFER), 8192);
	memset(bytes(rig, BUFFER + 8192), 0, 8192);
	assert_int_equal(request(rig, VIRTIO_BLK_T_IN, 100, BUFFER + 8192, 8192), VIRTIO_BLK_S_OK);
	assert_memory_equal(file, bytes(rig, BUFFER + 8192), 8192);
	/* memory that O_DIRECT would refuse */
	memset(bytes(rig, BUFFER + 8192), 0, 8192);
	assert_int_equal(request(rig, VIRTIO_BLK_T_IN, 101, BUFFER + 8195, 1024), VIRTIO_BLK_S_OK);
	assert_memory_equal(file + 512, bytes(rig, BUFFER + 8195), 1024);
	assert_int_equal(bytes(rig, BUFFER + 8194)[0], 0);
	fill(rig, BUFFER + 1, 1024, 7);
	assert_int_equal(request(rig, VIRTIO_BLK_T_OUT, 7, BUFFER + 1, 1024), VIRTIO_BLK_S_OK);
	assert_int_equal(pread(rig->fd, file, 1024, 7 * 512), 1024);
	assert_memory_equal(file, bytes(rig, BUFFER + 1), 1024);
	/* the last sector */
	assert_int_equal(request(rig, VIRTIO_BLK_T_OUT, DISK_SIZE / 512 - 1, BUFFER, 512),
			 VIRTIO_BLK_S_OK);
	tear_down(rig);
}

static void test_data(void **state)
{
	(void)state;
	data_path(0, V1 | FLUSH);
	data_path(0, V1);
	data_path(0, V1 | FLUSH | VDEV_FEATURE(VIRTIO_F_RING_PACKED));
	data_path(O_DIRECT, V1 | FLUSH);
}

static void test_config(void **state)
{
	struct rig *rig = set_up(NULL, 0);
	struct guest_virtio *g = &rig->g;

	(void)state;
	assert_int_equal(fake_hv_read(g->vm, HV_MMIO, g->device, 8), DISK_SIZE / 512);
	assert_int_equal(fake_hv_read(g->vm, HV_MMIO,
				      g->device + offsetof(struct virtio_blk_config, num_queues),
				      2),
			 2);
	assert_int_equal(fake_hv_read(g->vm, HV_MMIO, g->device + 20, 4), 512);
	assert_true(guest_offered(g) & VDEV_FEATURE(VIRTIO_BLK_F_DISCARD));
	assert_false(guest_offered(g) & VDEV_FEATURE(VIRTIO_BLK_F_RO));
	tear_down(rig);
}

static void test_serial(void **state)
{
	struct rig *rig = set_up(NULL, 0);

	(void)state;
	guest_bring_up(&rig->g, V1, 1);
	memset(bytes(rig, BUFFER), 0xee, 32);
	assert_int_equal(request(rig, VIRTIO_BLK_T_GET_ID, 0, BUFFER, 20), VIRTIO_BLK_S_OK);
	assert_string_equal((char *)bytes(rig, BUFFER), "S-42");
	assert_int_equal(bytes(rig, BUFFER)[20], 0xee);
	assert_int_equal(request(rig, VIRTIO_BLK_T_GET_ID, 0, BUFFER, 19), VIRTIO_BLK_S_IOERR);
	tear_down(rig);
}

static void test_refused(void **state)
{
	struct rig *rig = set_up(NULL, 0);
	uint64_t end = DISK_SIZE / 512;
	struct stat st;

	(void)state;
	guest_bring_up(&rig->g, V1 | FLUSH, 1);
	assert_int_equal(request(rig, VIRTIO_BLK_T_OUT, end, BUFFER, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(rig, VIRTIO_BLK_T_OUT, end - 1, BUFFER, 1024), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(rig, VIRTIO_BLK_T_IN, UINT64_MAX / 512, BUFFER, 1024),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(rig, VIRTIO_BLK_T_IN, UINT64_MAX, BUFFER, 512),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(rig, VIRTIO_BLK_T_IN, 0, BUFFER, 513), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(rig, VIRTIO_BLK_T_OUT, 0, 0, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(rig, 77, 0, BUFFER, 512), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(fstat(rig->fd, &st), 0);
	assert_int_equal(st.st_size, DISK_SIZE);
	assert_int_equal(st.st_blocks, 0);
	tear_down(rig);
}

/* Without a header or a status there is nobody to answer: the queue is broken. */
static void test_malformed(void **state)
{
	const struct guest_buf bad[][2] = {
		{{HEADER, 15, false}, {STATUS, 1, true}},
		{{HEADER, 16, false}, {BUFFER, 16, false}},
		{{STATUS, 1, true}, {BUFFER, 16, true}},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rig *rig = set_up(NULL, 0);
		uint8_t status = 0;

		guest_bring_up(&rig->g, V1, 1);
		guest_ring_add(&rig->g.ring[0], bad[i], 2, false);
		guest_kick(&rig->g, 0);
		for (unsigned n = 0; n < 100 && !(status & VIRTIO_CONFIG_S_NEEDS_RESET); n++) {
			guest_spin(&rig->g);
			status = (uint8_t)guest_common(&rig->g, VIRTIO_PCI_COMMON_STATUS, 1);
		}
		assert_true(status & VIRTIO_CONFIG_S_NEEDS_RESET);
		tear_down(rig);
	}
}

static void test_read_only(void **state)
{
	const struct vdev_disk_config config = {.read_only = true};
	struct rig *rig = set_up(&config, 0);
	uint8_t byte;

	(void)state;
	assert_true(guest_offered(&rig->g) & VDEV_FEATURE(VIRTIO_BLK_F_RO));
	assert_false(guest_offered(&rig->g) & VDEV_FEATURE(VIRTIO_BLK_F_DISCARD));
	guest_bring_up(&rig->g, V1, 1);
	fill(rig, BUFFER, 512, 1);
	assert_int_equal(request(rig, VIRTIO_BLK_T_OUT, 0, BUFFER, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(rig, VIRTIO_BLK_T_IN, 0, BUFFER, 512), VIRTIO_BLK_S_OK);
	*(struct virtio_blk_discard_write_zeroes *)bytes(rig, BUFFER) =
		(struct virtio_blk_discard_write_zeroes){0, 8, 0};
	assert_int_equal(request(rig, VIRTIO_BLK_T_DISCARD, 0, BUFFER, 16), VIRTIO_BLK_S_IOERR);
	assert_int_equal(pread(rig->fd, &byte, 1, 1), 1);
	assert_int_equal(byte, 0);
	tear_down(rig);
}

static void test_discard(void **state)
{
	struct rig *rig = set_up(NULL, 0);
	struct virtio_blk_discard_write_zeroes *range;
	uint8_t file[512], zero[512] = {0};
	struct stat before, after;

	(void)state;
	guest_bring_up(&rig->g, V1 | FLUSH, 1);
	fill(rig, BUFFER, 65536, 1);
	assert_int_equal(request(rig, VIRTIO_BLK_T_OUT, 0, BUFFER, 65536), VIRTIO_BLK_S_OK);
	assert_int_equal(request(rig, VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	fstat(rig->fd, &before);
	range = (struct virtio_blk_discard_write_zeroes *)(void *)bytes(rig, BUFFER);
	*range = (struct virtio_blk_discard_write_zeroes){8, 64, 0};
	assert_int_equal(request(rig, VIRTIO_BLK_T_DISCARD, 0, BUFFER, 16), VIRTIO_BLK_S_OK);
	fstat(rig->fd, &after);
	assert_true(after.st_blocks <= before.st_blocks - 64);
	assert_int_equal(after.st_size, DISK_SIZE);
	*range = (struct virtio_blk_discard_write_zeroes){80, 8, 0};
	assert_int_equal(request(rig, VIRTIO_BLK_T_WRITE_ZEROES, 0, BUFFER, 16), VIRTIO_BLK_S_OK);
	assert_int_equal(pread(rig->fd, file, 512, 80 * 512), 512);
	assert_memory_equal(file, zero, 512);
	assert_int_equal(pread(rig->fd, file, 512, 90 * 512), 512);
	assert_memory_not_equal(file, zero, 512);
	/* out of range, unknown flags, too large, of no length, two segments */
	*range = (struct virtio_blk_discard_write_zeroes){DISK_SIZE / 512 - 1, 2, 0};
	assert_int_equal(request(rig, VIRTIO_BLK_T_DISCARD, 0, BUFFER, 16), VIRTIO_BLK_S_IOERR);
	*range = (struct virtio_blk_discard_write_zeroes){0, 8, 1};
	assert_int_equal(request(rig, VIRTIO_BLK_T_DISCARD, 0, BUFFER, 16), VIRTIO_BLK_S_UNSUPP);
	*range = (struct virtio_blk_discard_write_zeroes){0, UINT32_MAX, 0};
	assert_int_equal(request(rig, VIRTIO_BLK_T_WRITE_ZEROES, 0, BUFFER, 16),
			 VIRTIO_BLK_S_IOERR);
	*range = (struct virtio_blk_discard_write_zeroes){0, 0, 0};
	assert_int_equal(request(rig, VIRTIO_BLK_T_DISCARD, 0, BUFFER, 16), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(rig, VIRTIO_BLK_T_DISCARD, 0, BUFFER, 32), VIRTIO_BLK_S_IOERR);
	tear_down(rig);
}

/* More requests on two queues than one ring holds, all answered, each where it belongs. */
static void test_many(void **state)
{
	struct rig *rig = set_up(NULL, 0);
	unsigned done = 0;
	uint32_t written;

	(void)state;
	guest_bring_up(&rig->g, V1 | FLUSH, 2);
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned n = 0; n < 10; n++) {
			uint64_t gpa = BUFFER + n * 512;

			fill(rig, gpa, 512, round * 10 + n);
			put_request(rig, n & 1, n, VIRTIO_BLK_T_OUT, round * 10 + n, gpa, 512);
			guest_kick(&rig->g, n & 1);
		}
		for (unsigned n = 0; n < 10; n++)
			assert_true(guest_wait(&rig->g, n & 1, &written) >= 0);
		for (unsigned n = 0; n < 10; n++)
			done += status_of(rig, n) == VIRTIO_BLK_S_OK;
	}
	assert_int_equal(done, 2000);
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t file[512];

		fill(rig, BUFFER, 512, i);
		assert_int_equal(pread(rig->fd, file, 512, i * 512), 512);
		assert_memory_equal(file, bytes(rig, BUFFER), 512);
	}
	tear_down(rig);
}

/* Reset with requests under way: nothing is written into memory that was taken back. */
static void test_reset_busy(void **state)
{
	struct rig *rig = set_up(NULL, 0);

	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		guest_bring_up(&rig->g, V1, 1);
		for (unsigned n = 0; n < 5; n++)
			put_request(rig, 0, n, VIRTIO_BLK_T_IN, 8 * n, BUFFER + 4096 * n, 4096);
		guest_kick(&rig->g, 0);
		guest_common_set(&rig->g, VIRTIO_PCI_COMMON_STATUS, 1, 0);
		memset(bytes(rig, FAKE_RAM_GPA), 0x5a, GUEST_RING_BYTES);
		memset(bytes(rig, BUFFER), 0x5a, 5 * 4096);
		usleep(200);
		for (unsigned i = 0; i < GUEST_RING_BYTES; i++)
			assert_int_equal(bytes(rig, FAKE_RAM_GPA)[i], 0x5a);
		for (unsigned i = 0; i < 5 * 4096; i++)
			assert_int_equal(bytes(rig, BUFFER)[i], 0x5a);
	}
	tear_down(rig);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_limit(void **state)
{
	const struct vdev_disk_config config = {.iops = 200};
	struct rig *rig = set_up(&config, 0);
	double begin = seconds();

	(void)state;
	guest_bring_up(&rig->g, V1, 1);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(request(rig, VIRTIO_BLK_T_IN, i, BUFFER, 512), VIRTIO_BLK_S_OK);
	/* 100 at 200 a second, less the tenth of a second that was saved up */
	assert_true(seconds() - begin >= 0.35);
	tear_down(rig);
}

/* Standing still means that nothing is taken from the ring either, whatever is still due. */
static void test_quiesce(void **state)
{
	const struct vdev_disk_config config = {.iops = 20};
	struct rig *rig = set_up(&config, 0);
	unsigned done = 0;
	uint32_t written;

	(void)state;
	guest_bring_up(&rig->g, V1, 1);
	for (unsigned n = 0; n < 5; n++)
		put_request(rig, 0, n, VIRTIO_BLK_T_IN, n, BUFFER + 512 * n, 512);
	guest_kick(&rig->g, 0);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	hv_device_lock(rig->g.vm);
	assert_int_equal(rig->fn->ops->quiesce(rig->fn), 0);
	hv_device_unlock(rig->g.vm);
	while (guest_ring_get(&rig->g.ring[0], &written) >= 0)
		done++;
	assert_true(done < 4);
	usleep(300000);
	assert_int_equal(guest_ring_get(&rig->g.ring[0], &written), -1);
	hv_device_lock(rig->g.vm);
	rig->fn->ops->resume(rig->fn);
	hv_device_unlock(rig->g.vm);
	for (; done < 4; done++)
		assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	tear_down(rig);
}

static struct vdev_disk_stat stat_of(struct rig *rig)
{
	struct vdev_disk_stat stat;

	hv_device_lock(rig->g.vm);
	assert_true(vdev_blk_stat(rig->fn, &stat));
	hv_device_unlock(rig->g.vm);
	return stat;
}

/* In a mount namespace of this process alone. No other thread is there yet. */
static bool small_file_system(void)
{
	if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) < 0)
		return false;
	return !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("none", "/mnt", "tmpfs", 0, "size=1m");
}

/* A host without space: a file system of 1 MiB under a disk of 8. */
static void test_no_space(void **state)
{
	struct rig *rig;
	struct vdev_disk_stat stat = {0};
	struct vdev_disk_config config;
	uint32_t written;
	char filler[64];

	(void)state;
	if (!small_file_system()) {
		print_message("a small tmpfs cannot be mounted here: %s\n", strerror(errno));
		skip();
	}
	rig = calloc(1, sizeof(*rig));
	assert_non_null(rig);
	strcpy(rig->path, "/mnt/disk");
	strcpy(filler, "/mnt/filler");
	rig->fd = open(rig->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(rig->fd, DISK_SIZE), 0);
	config = config_of(rig, 0);
	guest_virtio_init(&rig->g);
	assert_int_equal(vdev_blk_create(rig->g.vm, rig->g.loop, &config, &rig->fn), 0);
	guest_virtio_attach(&rig->g, rig->fn);
	guest_bring_up(&rig->g, V1, 1);
	int fd = open(filler, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(posix_fallocate(fd, 0, 900 * 1024), 0);
	put_request(rig, 0, 0, VIRTIO_BLK_T_OUT, 0, BUFFER, 512 * 1024);
	guest_kick(&rig->g, 0);
	for (unsigned i = 0; i < 2000 && !stat.held; i++) {
		usleep(1000);
		stat = stat_of(rig);
	}
	assert_int_equal(stat.held, 1);
	assert_non_null(rig->fn->ops->unsavable(rig->fn));
	assert_int_equal(guest_ring_get(&rig->g.ring[0], &written), -1);
	assert_int_equal(ftruncate(fd, 0), 0);
	hv_device_lock(rig->g.vm);
	vdev_blk_retry(rig->fn);
	hv_device_unlock(rig->g.vm);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	assert_int_equal(status_of(rig, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(stat_of(rig).held, 0);
	close(fd);
	unlink(filler);
	tear_down(rig);
}

static void test_stat(void **state)
{
	struct rig *rig = set_up(NULL, 0);
	struct vdev_disk_stat stat;

	(void)state;
	guest_bring_up(&rig->g, V1 | FLUSH, 1);
	request(rig, VIRTIO_BLK_T_OUT, 0, BUFFER, 1024);
	request(rig, VIRTIO_BLK_T_IN, 0, BUFFER, 512);
	request(rig, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	request(rig, 99, 0, BUFFER, 512);
	stat = stat_of(rig);
	assert_int_equal(stat.writes, 1);
	assert_int_equal(stat.write_bytes, 1024);
	assert_int_equal(stat.reads, 1);
	assert_int_equal(stat.flushes, 1);
	assert_int_equal(stat.errors, 1);
	assert_int_equal(stat.in_flight, 0);
	assert_string_equal(stat.serial, "S-42");
	assert_in_range(stat.kicks, 1, 4); /* one look may find what two kicks told of */
	tear_down(rig);
}

static void test_bad_files(void **state)
{
	struct guest_virtio g;
	struct vdev_function *fn;
	char path[] = "/var/tmp/sluice-blk-XXXXXX";
	int fd = mkstemp(path);
	struct vdev_disk_config config = {.name = "disk bad", .fd = dup(fd)};

	(void)state;
	guest_virtio_init(&g);
	assert_int_equal(vdev_blk_create(g.vm, g.loop, &config, &fn), -EINVAL); /* empty */
	assert_int_equal(ftruncate(fd, 1000), 0);
	config.fd = dup(fd);
	assert_int_equal(vdev_blk_create(g.vm, g.loop, &config, &fn), -EINVAL);
	guest_virtio_finish(&g);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data),	   cmocka_unit_test(test_config),
		cmocka_unit_test(test_serial),	   cmocka_unit_test(test_refused),
		cmocka_unit_test(test_malformed),  cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_discard),	   cmocka_unit_test(test_many),
		cmocka_unit_test(test_reset_busy), cmocka_unit_test(test_limit),
		cmocka_unit_test(test_quiesce),	   cmocka_unit_test(test_no_space),
		cmocka_unit_test(test_stat),	   cmocka_unit_test(test_bad_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
