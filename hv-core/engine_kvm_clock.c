/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine_kvm_clock: the guest's time stops, and goes on.
 *
 * A guest has two clocks and a timer that run by themselves: the TSC, which is the host's TSC
 * (scaled where the CPU can) plus an offset; the paravirtual clock, which KVM derives from the
 * host's; and the APIC timer. Stopping writes down what the first two show; starting gives them new
 * offsets so that they show the same again (Documentation/virt/kvm/devices/vcpu.rst,
 * KVM_VCPU_TSC_OFFSET, tells the order: clock first, then TSC). All CPUs get their offset from one
 * reading of the host's TSC, so that they stay in step with each other to the tick.
 *
 * A timer in deadline mode must be armed anew: KVM turned its deadline into host time with the old
 * offset. Should it have fired meanwhile, then the guest got that interrupt early, and gets one
 * more at the right time. The APIC timer's other modes count host time, and may fire early as well;
 * a guest takes an early tick for what it is.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <x86intrin.h>

#include "hv-core/engine_kvm.h"

#define MSR_TSC		 0x10u	/* IA32_TIME_STAMP_COUNTER */
#define MSR_TSC_DEADLINE 0x6e0u /* SDM vol. 3, 11.5.4.1 */

/* What the vCPU's TSC makes of the host's, but for its offset. */
static uint64_t scale(const struct hv_engine_vcpu *vcpu, uint64_t host)
{
	int khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0ul);
	uint32_t host_khz = vcpu->engine->caps.tsc_khz;

	if (khz <= 0 || !host_khz || (uint32_t)khz == host_khz)
		return host;
	return (uint64_t)((unsigned __int128)host * (unsigned)khz / host_khz);
}

static int offset_attr(const struct hv_engine_vcpu *vcpu, unsigned long request, uint64_t *offset)
{
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)offset,
	};

	return hv_kvm_vcpu_ioctl(vcpu, request, &attr);
}

/* Kernels before 5.16 tell no offset: there the TSC is an MSR, and KVM brings CPUs whose TSCs are
 * written together back into step. */
static bool has_offset(const struct hv_engine_vcpu *vcpu)
{
	uint64_t none = 0;

	return offset_attr(vcpu, KVM_HAS_DEVICE_ATTR, &none) == 0;
}

static int stop_vcpu(struct hv_engine_vcpu *vcpu, uint64_t host)
{
	uint64_t offset = 0;
	int rc;

	if (has_offset(vcpu)) {
		rc = offset_attr(vcpu, KVM_GET_DEVICE_ATTR, &offset);
		vcpu->tsc = scale(vcpu, host) + offset;
	} else {
		rc = hv_kvm_get_msr(vcpu, MSR_TSC, &vcpu->tsc);
	}
	if (rc >= 0)
		rc = hv_kvm_get_msr(vcpu, MSR_TSC_DEADLINE, &vcpu->deadline);
	return rc < 0 ? rc : 0;
}

int hv_kvm_clock_stop(struct hv_engine *engine)
{
	struct kvm_clock_data clock = {0};
	uint64_t host = __rdtsc();
	int rc = 0;

	if (engine->stopped)
		return 0;
	if (ioctl(engine->vm, KVM_GET_CLOCK, &clock) < 0)
		return -errno;
	engine->clock = clock.clock;
	for (struct hv_engine_vcpu *vcpu = engine->list; rc == 0 && vcpu; vcpu = vcpu->next)
		rc = stop_vcpu(vcpu, host);
	if (rc == 0)
		rc = hv_kvm_pit_stop(engine);
	engine->stopped = rc == 0;
	return rc;
}

static int start_vcpu(struct hv_engine_vcpu *vcpu, uint64_t host)
{
	uint64_t offset = vcpu->tsc - scale(vcpu, host);
	int rc = has_offset(vcpu) ? offset_attr(vcpu, KVM_SET_DEVICE_ATTR, &offset)
				  : hv_kvm_set_msr(vcpu, MSR_TSC, vcpu->tsc);

	if (rc >= 0 && vcpu->deadline)
		rc = hv_kvm_set_msr(vcpu, MSR_TSC_DEADLINE, vcpu->deadline);
	/* So that the guest's watchdogs do not take the gap for a hang; -EINVAL: the guest does not
	 * use the clock. */
	int told = rc < 0 ? 0 : hv_kvm_vcpu_ioctl(vcpu, KVM_KVMCLOCK_CTRL, NULL);
	if (told < 0 && told != -EINVAL)
		rc = told;
	return rc < 0 ? rc : 0;
}

int hv_kvm_clock_start(struct hv_engine *engine)
{
	struct kvm_clock_data clock = {.clock = engine->clock};
	int rc = 0;

	if (!engine->stopped)
		return 0;
	if (ioctl(engine->vm, KVM_SET_CLOCK, &clock) < 0)
		return -errno;
	uint64_t host = __rdtsc();
	for (struct hv_engine_vcpu *vcpu = engine->list; rc == 0 && vcpu; vcpu = vcpu->next)
		rc = start_vcpu(vcpu, host);
	if (rc == 0)
		rc = hv_kvm_pit_start(engine);
	engine->stopped = rc < 0;
	return rc;
}
