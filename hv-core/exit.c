/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exit: what the guest did that it needs us for, and the doing of it.
 *
 * MSR policy. The engine handles every MSR it knows, with the access rights that CPUID implies.
 * What is left is unknown to it, and gets what a CPU without that register does: #GP. Operating
 * systems expect that where they look; Debian's kernel, on AMD, touches none of these at all. Each
 * is counted as an exit "msr-read" or "msr-write" and, with SLUICE_LOG=debug, named.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "hv-core/vm.h"

static void refuse_msr(const struct hv_vcpu *vcpu, const struct hv_exit *exit)
{
	*exit->msr.error = true;
	log_debug(vcpu->vm->subject, "CPU %u %s unknown MSR 0x%" PRIx32, vcpu->index,
		  exit->reason == HV_EXIT_MSR_READ ? "reads" : "writes", exit->msr.index);
}

static void access_one(struct hv_bus *bus, enum hv_space space, bool read, uint64_t addr,
		       void *data, unsigned len)
{
	if (read)
		hv_bus_read(bus, space, addr, data, len);
	else
		hv_bus_write(bus, space, addr, data, len);
}

/* Devices know accesses of 1, 2, 4 and 8 bytes. An access across a page may come in other pieces.
 */
static void access_pieces(struct hv_bus *bus, enum hv_space space, bool read, uint64_t addr,
			  uint8_t *data, unsigned len)
{
	while (len) {
		unsigned piece = len >= 8 ? 8 : len >= 4 ? 4 : len >= 2 ? 2 : 1;

		access_one(bus, space, read, addr, data, piece);
		addr += piece;
		data += piece;
		len -= piece;
	}
}

static void do_io(struct hv_vcpu *vcpu, const struct hv_exit *exit, enum hv_space space, bool read)
{
	struct hv_vm *vm = vcpu->vm;
	uint8_t *data = exit->io.data;

	hv_device_lock(vm);
	for (uint32_t i = 0; i < exit->io.count; i++, data += exit->io.len)
		access_pieces(&vm->bus, space, read, exit->io.addr, data, exit->io.len);
	hv_device_unlock(vm);
}

static void end(struct hv_vcpu *vcpu, const char *what, uint64_t code, enum hv_end end)
{
	struct hv_vm *vm = vcpu->vm;
	char state[768];

	if (atomic_load(&vm->end) != HV_END_NONE)
		return; /* told once */
	if (vm->ops->vcpu_describe(vcpu->engine, state, sizeof(state)) < 0)
		snprintf(state, sizeof(state), "registers unknown");
	log_error(vm->subject, "%s: CPU %u: %s (0x%" PRIx64 "); %s",
		  end == HV_END_CRASH ? "crashed" : "stopped", vcpu->index, what, code, state);
	hv_vm_end(vm, end);
}

static void crash(struct hv_vcpu *vcpu, const char *what, uint64_t code)
{
	end(vcpu, what, code, HV_END_CRASH);
}

void hv_exit_dispatch(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	switch (exit->reason) {
	case HV_EXIT_IO_READ:
	case HV_EXIT_IO_WRITE:
		do_io(vcpu, exit, HV_PIO, exit->reason == HV_EXIT_IO_READ);
		return;
	case HV_EXIT_MMIO_READ:
	case HV_EXIT_MMIO_WRITE:
		do_io(vcpu, exit, HV_MMIO, exit->reason == HV_EXIT_MMIO_READ);
		return;
	case HV_EXIT_EOI:
		hv_device_lock(vcpu->vm);
		hv_ioapic_eoi(&vcpu->vm->ioapic, exit->eoi_vector);
		hv_device_unlock(vcpu->vm);
		return;
	case HV_EXIT_MSR_READ:
	case HV_EXIT_MSR_WRITE:
		refuse_msr(vcpu, exit);
		return;
	case HV_EXIT_HALT:   /* the next vcpu_run waits for an interrupt */
	case HV_EXIT_SIGNAL: /* the loop looks whether the VM has ended */
		return;
	case HV_EXIT_SHUTDOWN:
		end(vcpu, "triple fault", 0, HV_END_TRIPLE_FAULT);
		return;
	case HV_EXIT_FAIL_ENTRY:
		crash(vcpu, "the hardware refuses its state", exit->code);
		return;
	case HV_EXIT_INTERNAL_ERROR:
		crash(vcpu, "the engine cannot emulate what it does", exit->code);
		return;
	case HV_EXIT_SYSTEM_EVENT:
	case HV_EXIT_OTHER:
	case HV_EXIT_COUNT:
		break;
	}
	crash(vcpu, "an exit that nobody asked for", exit->code);
}
