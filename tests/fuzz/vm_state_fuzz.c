/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any text as the state of a VM: its CPUs, memory, interrupts and devices take it or refuse it. The
 * VM has an engine without hardware.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"
#include "tests/fakes/fake_engine.h"
#include "vdev/vdev.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fixture {
	struct hv_engine engine;
	struct loop *loop;
	struct hv_vm *vm;
	struct vdev_machine *devices;
};

static void ignore_out(void *opaque, const uint8_t *bytes, size_t len)
{
	(void)opaque, (void)bytes, (void)len;
}

static void ignore_room(void *opaque)
{
	(void)opaque;
}

static void build(struct fixture *f)
{
	fake_engine_init(&f->engine);
	if (loop_create(&f->loop))
		abort();
	const struct hv_config config = {
		.name = "fuzz",
		.engine = &fake_engine_ops,
		.engine_fd = fake_engine_fd(&f->engine),
		.cpus = 2,
		.ram = 16 * MIB,
		.pages = HV_PAGES_4K,
		.legacy = f->loop,
	};
	struct vdev_machine_config machine = {
		.serial_out = ignore_out, .serial_room = ignore_room, .free_ports = 2};

	if (hv_vm_create(&config, &f->vm))
		abort();
	machine.vm = f->vm;
	machine.loop = f->loop;
	if (vdev_machine_create(&machine, &f->devices) || vdev_machine_finish(f->devices))
		abort();
	close(config.engine_fd);
}

static void destroy(struct fixture *f)
{
	vdev_machine_destroy(f->devices);
	hv_vm_destroy(f->vm);
	loop_destroy(f->loop);
	fake_engine_finish(&f->engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fixture f = {0};
	struct state *root;

	if (state_parse("fuzz", (const char *)data, size, &root) < 0)
		return 0;
	build(&f);
	hv_vm_load(f.vm, state_open(root, "vm"));
	state_free(root);
	if (state_parse("fuzz", (const char *)data, size, &root) < 0)
		abort();
	if (vdev_machine_load(f.devices, state_open(root, "devices")) == 0) {
		struct state *again = state_new();

		if (vdev_machine_save(f.devices, again))
			abort();
		state_free(again);
	}
	state_free(root);
	destroy(&f);
	return 0;
}
