/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_place: who may run where, on a made-up host and with the notes of made-up VMs. The CPUs that
 * this process may use are the machine's own, so the host has as many, and one of them at least.
 */
#include "cli/vm_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpuset.h"
#include "base/io.h"
#include "base/util.h"
#include "cli/vm_dir.h"
#include "sriov/sriov.h"
#include "tests/fakes/fake_sysfs.h"

#define CPUS "devices/system/cpu/"
#define NODE "devices/system/node/"

struct host {
	struct fake_sysfs fake;
	char run[64], state[64];
	struct cli cli;
	struct vm_request request;
	cpu_set_t ours;
	int lives[4];
	size_t alive;
};

/* Node 0 with the CPUs 0 to 3 of this process, in cores of two; node 1 with CPUs beyond. */
static int setup(void **state)
{
	struct host *h = calloc(1, sizeof(*h));
	char text[64];

	fake_sysfs_make(&h->fake);
	snprintf(h->run, sizeof(h->run), "%s/run", h->fake.dir);
	snprintf(h->state, sizeof(h->state), "%s/state", h->fake.dir);
	fake_put(&h->fake.fs, "", "run/vm/none");
	fake_put(&h->fake.fs, "", "state/none");
	h->cli = (struct cli){
		.run_dir = h->run, .state_dir = h->state, .sysfs = h->fake.dir, .fs = {.root = -1}};
	assert_int_equal(sched_getaffinity(0, sizeof(h->ours), &h->ours), 0);
	fake_put(&h->fake.fs, "0-903\n", CPUS "online");
	fake_put(&h->fake.fs, "\n", CPUS "isolated");
	for (int cpu = 0; cpu < 4; cpu++) {
		snprintf(text, sizeof(text), "%d-%d\n", cpu & ~1, cpu | 1);
		fake_put(&h->fake.fs, text, CPUS "cpu%d/topology/thread_siblings_list", cpu);
	}
	fake_put(&h->fake.fs, "0-1\n", NODE "online");
	fake_put(&h->fake.fs, "0-899\n", NODE "node0/cpulist");
	fake_put(&h->fake.fs, "900-903\n", NODE "node1/cpulist");
	vm_request_set_name(&h->request, "me");
	for (size_t i = 0; i < HV_MAX_CPUS; i++)
		h->request.pin[i] = -1;
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct host *h = *state;

	assert_int_equal(sched_setaffinity(0, sizeof(h->ours), &h->ours), 0);
	while (h->alive)
		io_close(&h->lives[--h->alive]);
	cli_sriov_close(&h->cli);
	sysfs_close(&h->cli.fs);
	fake_sysfs_remove(&h->fake);
	free(h);
	return 0;
}

/* A VM that lives, with what it noted. */
static void other(struct host *h, const char *name, const char *pins, const char *threads,
		  const char *reserved)
{
	json_t *json =
		json_pack("{s:s,s:s,s:s}", "pins", pins, "threads", threads, "reserved", reserved);

	h->lives[h->alive] = sriov_owner_lock(cli_sriov(&h->cli), name);
	assert_true(h->lives[h->alive] >= 0);
	h->alive++;
	assert_int_equal(vm_write_json(&h->cli, name, VM_CPUS, json), 0);
	json_decref(json);
}

static int take(struct host *h)
{
	int fd = sriov_owner_lock(cli_sriov(&h->cli), h->request.name);
	int err = vm_place_take(&h->cli, &h->request);

	io_close(&fd);
	return err;
}

static void noted(struct host *h, const char *key, const char *want)
{
	json_t *json = vm_read_json(&h->cli, h->request.name, VM_CPUS);

	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, key)), want);
	json_decref(json);
}

static void test_alone(void **state)
{
	struct host *h = *state;
	char text[256];

	assert_int_equal(vm_place_check(&h->cli, &h->request), 0);
	assert_int_equal(take(h), 0);
	noted(h, "pins", "");
	noted(h, "reserved", "");
	noted(h, "threads", cpuset_format(&h->ours, text, sizeof(text)));
}

static void test_a_core_is_kept(void **state)
{
	struct host *h = *state;

	h->request.pin[0] = 800; /* beyond this process's own, so that something is left */
	h->request.isolate = true;
	fake_put(&h->fake.fs, "800-801\n", CPUS "cpu800/topology/thread_siblings_list");
	assert_int_equal(take(h), 0);
	noted(h, "pins", "800");
	noted(h, "reserved", "800-801");
}

static void test_kept_by_another(void **state)
{
	struct host *h = *state;

	other(h, "rt", "800", "0", "800-801");
	h->request.pin[0] = 801; /* its sibling */
	assert_int_equal(take(h), -EBUSY);
	h->request.pin[0] = 802;
	assert_int_equal(take(h), 0);
}

static void test_somebody_runs_there(void **state)
{
	struct host *h = *state;

	other(h, "web", "803", "0", "");
	h->request.pin[0] = 803;
	assert_int_equal(take(h), 0); /* sharing is fine … */
	h->request.isolate = true;
	assert_int_equal(take(h), -EBUSY); /* … until one does not want to */
	io_close(&h->lives[--h->alive]);   /* what a dead VM noted is nothing */
	assert_int_equal(take(h), 0);
}

static void test_one_that_is_starting(void **state)
{
	struct host *h = *state;

	other(h, "web", "", "800-899", ""); /* may run there, and does not answer */
	h->request.pin[0] = 803;
	h->request.isolate = true;
	assert_int_equal(take(h), -EBUSY);
}

static void test_threads_stay_off(void **state)
{
	struct host *h = *state;
	char text[256];
	cpu_set_t now, one;

	if (CPU_COUNT(&h->ours) < 2)
		skip(); /* nothing would be left */
	CPU_ZERO(&one);
	for (size_t cpu = 0; !CPU_COUNT(&one); cpu++)
		if (CPU_ISSET(cpu, &h->ours))
			CPU_SET(cpu, &one);
	other(h, "rt", "", "", cpuset_format(&one, text, sizeof(text)));
	assert_int_equal(take(h), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
	assert_false(cpuset_overlaps(&now, &one));
	CPU_OR(&now, &now, &one);
	assert_true(CPU_EQUAL(&now, &h->ours));
}

static void test_nothing_left(void **state)
{
	struct host *h = *state;
	char text[256];
	cpu_set_t now;

	other(h, "rt", "", "", cpuset_format(&h->ours, text, sizeof(text)));
	assert_int_equal(take(h), -EBUSY);
	assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
	assert_true(CPU_EQUAL(&now, &h->ours));
}

static void test_host_has_it_not(void **state)
{
	struct host *h = *state;

	h->request.numa[0].node.host = 2;
	h->request.numa_count = 1;
	assert_int_equal(vm_place_check(&h->cli, &h->request), -EINVAL);
	h->request.numa[0].node.host = 1;
	assert_int_equal(vm_place_check(&h->cli, &h->request), 0);
	h->request.pin[0] = 904;
	assert_int_equal(vm_place_check(&h->cli, &h->request), -EINVAL);
}

/* What is said goes to standard error. */
static void hear(struct host *h, bool attach, const char *text, bool wanted)
{
	char said[2048] = "";
	int pipe_fd[2], before = dup(STDERR_FILENO);

	assert_int_equal(pipe(pipe_fd), 0);
	dup2(pipe_fd[1], STDERR_FILENO);
	int err = 0;
	if (attach) {
		vm_place_recall(&h->cli, &h->request);
		vm_place_check_attach(&h->cli, &h->request);
	} else
		err = vm_place_check(&h->cli, &h->request);
	dup2(before, STDERR_FILENO);
	close(before);
	close(pipe_fd[1]);
	ssize_t n = read(pipe_fd[0], said, sizeof(said) - 1);
	close(pipe_fd[0]);
	assert_int_equal(err, 0);
	assert_true(n >= 0);
	assert_int_equal(strstr(said, text) != NULL, wanted);
}

static void heard(struct host *h, const char *text, bool wanted)
{
	hear(h, false, text, wanted);
}

/* A VM that runs is where it was put when it started. */
static void test_far_device_later(void **state)
{
	static const char *const configs[] = {"{}", "{\"pin\": [-1, 902]}", "{\"pin\": [-1, 2]}",
					      "{\"pin\": [2], \"numa\": [{\"host\": 1}]}",
					      "{\"numa\": [{\"host\": 0}]}"};
	struct host *h = *state;

	bdf_parse("0000:01:10.0", &h->request.picks[0].bdf);
	h->request.pick_count = 1;
	fake_put(&h->fake.fs, "1\n", "bus/pci/devices/0000:01:10.0/numa_node");
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		fake_put(&h->fake.fs, configs[i], "run/vm/me/" VM_CONFIG);
		hear(h, true, "is on NUMA node 1 of the host, and the VM on 0", i == 2 || i == 4);
		hear(h, true, "is on NUMA node", i == 2 || i == 4);
	}
}

static void test_far_device(void **state)
{
	struct host *h = *state;

	bdf_parse("0000:01:10.0", &h->request.picks[0].bdf);
	h->request.pick_count = 1;
	fake_put(&h->fake.fs, "1\n", "bus/pci/devices/0000:01:10.0/numa_node");
	heard(h, "is on NUMA node 1", false); /* the VM was placed nowhere */
	h->request.pin[0] = 2;
	heard(h, "is on NUMA node 1 of the host, and the VM on 0", true);
	h->request.pin[0] = 901;
	heard(h, "is on NUMA node", false);
	h->request.numa_count = 1; /* goes before the pins */
	heard(h, "--numa 1 would put them together", true);
	fake_put(&h->fake.fs, "-1\n", "bus/pci/devices/0000:01:10.0/numa_node");
	heard(h, "is on NUMA node", false);
}

/* Which node a VM is on, and how that is known. */
static void test_node(void **state)
{
	struct host *h = *state;
	struct vm_request *r = &h->request;
	char why[VM_PLACE_WHY];

	assert_int_equal(vm_place_node(&h->cli, r, why), -1);
	assert_string_equal(why, "the VM is on no NUMA node in particular");
	r->has_home = true;
	r->home = 1;
	assert_int_equal(vm_place_node(&h->cli, r, why), 1);
	assert_string_equal(why, "the VM is on NUMA node 1: its memory is there");
	r->pin[1] = 2; /* goes before where its memory happens to be */
	assert_int_equal(vm_place_node(&h->cli, r, why), 0);
	assert_string_equal(why, "the VM is on NUMA node 0: by its pins");
	r->pin[0] = 902;
	assert_int_equal(vm_place_node(&h->cli, r, why), -1);
	assert_string_equal(why, "the VM is on NUMA node 0-1: by its pins");
	r->numa_count = 1;
	r->numa[0].node.host = 1;
	assert_int_equal(vm_place_node(&h->cli, r, why), 1);
	assert_string_equal(why, "the VM is on NUMA node 1: by --numa");
}

static void test_kernel_does_not_isolate(void **state)
{
	struct host *h = *state;

	h->request.pin[0] = 2;
	heard(h, "isolcpus=", false);
	h->request.isolate = true;
	heard(h, "isolcpus=2 nohz_full=2", true);
	fake_put(&h->fake.fs, "2-3\n", CPUS "isolated");
	heard(h, "isolcpus=", false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_alone),
		TEST(test_a_core_is_kept),
		TEST(test_kept_by_another),
		TEST(test_somebody_runs_there),
		TEST(test_one_that_is_starting),
		TEST(test_threads_stay_off),
		TEST(test_nothing_left),
		TEST(test_host_has_it_not),
		TEST(test_far_device),
		TEST(test_far_device_later),
		TEST(test_node),
		TEST(test_kernel_does_not_isolate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
