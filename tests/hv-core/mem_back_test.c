/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_back: which memory a VM gets on hosts that are set up differently, and what is said when
 * there is not enough. The hosts are small made-up trees of /sys and /proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "hv-core/mem.h"

#define THP	"kernel/mm/transparent_hugepage/"
#define HUGE_2M "kernel/mm/hugepages/hugepages-2048kB/"

struct host {
	char path[64];
	struct sysfs sys, proc;
	struct hv_config config;
};

static void put(struct host *host, const char *file, const char *text)
{
	char path[256];
	char *slash;

	snprintf(path, sizeof(path), "%s/%s", host->path, file);
	for (slash = strchr(path + strlen(host->path) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	FILE *out = fopen(path, "w");
	if (!out)
		fail_msg("%s: %s", path, strerror(errno));
	else
		assert_int_equal(fputs(text, out) >= 0 && fclose(out) == 0, 1);
}

static int setup(void **state)
{
	struct host *host = calloc(1, sizeof(*host));

	snprintf(host->path, sizeof(host->path), "/tmp/sluice-mem-XXXXXX");
	assert_non_null(mkdtemp(host->path));
	assert_int_equal(sysfs_open(&host->sys, host->path), 0);
	assert_int_equal(sysfs_open(&host->proc, host->path), 0);
	put(host, THP "shmem_enabled", "always within_size advise [never] deny force\n");
	put(host, THP "enabled", "always [madvise] never\n");
	put(host, "meminfo", "MemTotal:  4194304 kB\nMemFree: 1 kB\nMemAvailable:   1048576 kB\n");
	host->config.ram = 32 * MIB;
	*state = host;
	return 0;
}

static int teardown(void **state)
{
	struct host *host = *state;
	char command[128];

	sysfs_close(&host->sys);
	sysfs_close(&host->proc);
	snprintf(command, sizeof(command), "rm -r %s", host->path);
	assert_int_equal(system(command), 0); /* NOLINT: our own temporary directory */
	free(host);
	return 0;
}

static int check(const struct host *host)
{
	return hv_mem_check("vm test", &host->config, &host->sys, &host->proc);
}

static struct hv_mem_back back_up(const struct host *host)
{
	struct hv_mem_back back = {.fd = -1};

	assert_int_equal(hv_mem_back("vm test", &host->config, &host->sys, &back), 0);
	assert_true(IS_ALIGNED((uintptr_t)back.hva, 2 * MIB));
	assert_true(back.size == host->config.ram);
	((uint8_t *)back.hva)[0] = 1;
	((uint8_t *)back.hva)[back.size - 1] = 1;
	return back;
}

static void test_enough_and_not(void **state)
{
	struct host *host = *state;

	host->config.ram = GIB;
	assert_int_equal(check(host), 0);
	host->config.ram = GIB + 4096;
	assert_int_equal(check(host), -ENOMEM);
	put(host, "meminfo", "MemTotal: 1 kB\n");
	assert_int_equal(check(host), -EPROTO);
}

static void test_huge_pages_counted(void **state)
{
	struct host *host = *state;

	host->config.pages = HV_PAGES_2M;
	assert_int_equal(check(host), -ENOMEM); /* the host has none of that size */
	put(host, HUGE_2M "nr_hugepages", "20\n");
	put(host, HUGE_2M "free_hugepages", "16\n");
	put(host, HUGE_2M "resv_hugepages", "0\n");
	assert_int_equal(check(host), 0);
	put(host, HUGE_2M "resv_hugepages", "1\n"); /* free, but promised */
	assert_int_equal(check(host), -ENOMEM);
	put(host, HUGE_2M "resv_hugepages", "99\n");
	assert_int_equal(check(host), -ENOMEM);
}

static void test_plain(void **state)
{
	struct hv_mem_back back = back_up(*state);
	struct stat st;

	assert_true(back.fd >= 0);
	assert_int_equal(fstat(back.fd, &st), 0);
	assert_int_equal(st.st_size, 32 * MIB);
	assert_int_equal(ftruncate(back.fd, 0), -1); /* sealed */
	assert_non_null(strstr(back.text, "32 MiB"));
	assert_non_null(strstr(back.text, "4K"));
	assert_null(strstr(back.text, "THP"));
	hv_mem_unback(&back);
	assert_int_equal(back.fd, -1);
	hv_mem_unback(&back); /* twice is once */
}

static void test_thp_in_memfd(void **state)
{
	struct host *host = *state;

	host->config.pages = HV_PAGES_THP;
	host->config.share_ram = true;
	put(host, THP "shmem_enabled", "always within_size [advise] never deny force\n");
	struct hv_mem_back back = back_up(host);
	assert_true(back.fd >= 0);
	assert_non_null(strstr(back.text, "memfd, THP"));
	hv_mem_unback(&back);
}

static void test_thp_in_private_memory(void **state)
{
	struct host *host = *state;

	host->config.pages = HV_PAGES_THP;
	struct hv_mem_back back = back_up(host);
	assert_int_equal(back.fd, -1);
	assert_non_null(strstr(back.text, "private memory, THP"));
	hv_mem_unback(&back);
}

/* Shared, and no switch open: it works, in small pages, and is said to. */
static void test_thp_nowhere(void **state)
{
	struct host *host = *state;

	host->config.pages = HV_PAGES_THP;
	host->config.share_ram = true;
	struct hv_mem_back back = back_up(host);
	assert_true(back.fd >= 0);
	assert_null(strstr(back.text, "THP"));
	hv_mem_unback(&back);
	host->config.share_ram = false;
	put(host, THP "enabled", "always madvise [never]\n");
	back = back_up(host);
	assert_true(back.fd >= 0);
	assert_null(strstr(back.text, "THP"));
	hv_mem_unback(&back);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_enough_and_not), TEST(test_huge_pages_counted),    TEST(test_plain),
		TEST(test_thp_in_memfd),   TEST(test_thp_in_private_memory), TEST(test_thp_nowhere),
	};

	return cmocka_run_group_tests_name("hv-core/mem_back", tests, NULL, NULL);
}
