/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_initrd_test: the archive is read back, entry by entry. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/bench_initrd.h"

static char dir[] = "/tmp/bench_initrd_XXXXXX";

static void put(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static size_t field(const char *header, unsigned index)
{
	char text[9] = "";

	memcpy(text, header + 6 + 8 * index, 8);
	return strtoul(text, NULL, 16);
}

/* "NAME=CONTENTS;" of all entries but directories, in their order. */
static void unpack(const char *path, char *out, size_t size)
{
	static char bytes[65536];
	FILE *in = fopen(path, "r");
	size_t at = 0, len = in ? fread(bytes, 1, sizeof(bytes), in) : 0;

	assert_true(len > 0);
	fclose(in);
	out[0] = '\0';
	while (at < len) {
		const char *h = bytes + at, *name = h + 110;
		size_t file = field(h, 6), name_size = field(h, 11);

		assert_memory_equal(h, "070701", 6);
		assert_int_equal(strlen(name) + 1, name_size);
		at = (at + 110 + name_size + 3) & ~(size_t)3;
		if (!strcmp(name, "TRAILER!!!"))
			break;
		if ((field(h, 1) & S_IFMT) == S_IFREG)
			snprintf(out + strlen(out), size - strlen(out), "%s=%.*s;", name, (int)file,
				 bytes + at);
		at = (at + file + 3) & ~(size_t)3;
	}
	assert_true(at <= len);
}

static void test_archive(void **state)
{
	static const char *const names[] = {"virtio-net", "e1000e", "built_in"};
	char out[4096], path[128], work[128];

	(void)state;
	put("modules.dep",
	    "kernel/drivers/net/virtio_net.ko: kernel/net/failover.ko kernel/virtio.ko\n"
	    "kernel/net/failover.ko:\nkernel/virtio.ko:\n"
	    "kernel/e1000e.ko: kernel/virtio.ko\nkernel/not_e1000e.ko:\n");
	put("kernel/drivers/net/virtio_net.ko", "VN");
	put("kernel/net/failover.ko", "F");
	put("kernel/virtio.ko", "V");
	put("kernel/e1000e.ko", "E");
	put("work", "#!/work");
	snprintf(path, sizeof(path), "%s/out.cpio", dir);
	snprintf(work, sizeof(work), "%s/work", dir);
	assert_int_equal(bench_initrd_write(path, work, dir, names, 3), 0);
	unpack(path, out, sizeof(out));
	assert_string_equal(out,
			    "init=#!/work;modules/virtio.ko=V;modules/failover.ko=F;"
			    "modules/virtio_net.ko=VN;modules/e1000e.ko=E;"
			    "modules/order=virtio.ko\nfailover.ko\nvirtio_net.ko\ne1000e.ko\n;");
	assert_int_equal(bench_initrd_write(path, "/nowhere/work", dir, names, 3), -ENOENT);
	assert_int_equal(bench_initrd_write(path, work, "/nowhere", names, 3), -ENOENT);
}

static int set_up(void **state)
{
	static const char *const dirs[] = {"kernel", "kernel/net", "kernel/drivers",
					   "kernel/drivers/net"};
	char path[128];

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, dirs[i]);
		if (mkdir(path, 0755))
			return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_archive)};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
