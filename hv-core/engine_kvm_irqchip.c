/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine_kvm_irqchip: all of a PC's interrupt controllers inside KVM, for VMs that ask for it
 * (hv_engine_config.irqchip): the I/O APIC, the 8259 pair, and the 8254 where there is one.
 *
 * Their pins are the routes 0..23, as ACPI describes them: the timer is input 0 of the pair and
 * input 2 of the I/O APIC. KVM replaces its whole table at each change, so those routes are put
 * before ours each time.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/util.h"
#include "hv-core/engine_kvm.h"

#define IOAPIC_PINS  24u
#define PIC_PINS     16u
#define TIMER	     0u
#define TIMER_IOAPIC 2u /* also the cascade of the pair, which is no input */

static int vm_ioctl(const struct hv_engine *engine, unsigned long request, const void *arg)
{
	return ioctl(engine->vm, request, arg) < 0 ? -errno : 0;
}

int hv_kvm_irqchip_create(struct hv_engine *engine, bool pit)
{
	struct kvm_pit_config config = {.flags = KVM_PIT_SPEAKER_DUMMY};
	int rc = ioctl(engine->vm, KVM_CREATE_IRQCHIP, 0ul) < 0 ? -errno : 0;

	if (rc < 0)
		return log_fail(rc, "kvm", "no VM: no interrupt controllers in the kernel: %s",
				strerror(-rc));
	engine->irqchip = true;
	if (pit)
		rc = vm_ioctl(engine, KVM_CREATE_PIT2, &config);
	if (rc < 0)
		return log_fail(rc, "kvm", "no VM: no timer in the kernel: %s", strerror(-rc));
	engine->pit = pit;
	return 0;
}

/* ---- routes ---- */

static struct kvm_irq_routing_entry pin(uint32_t gsi, uint32_t chip, uint32_t input)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = {.irqchip = chip, .pin = input},
	};
}

size_t hv_kvm_irqchip_routes(const struct hv_engine *engine, struct kvm_irq_routing_entry *out)
{
	size_t n = 0;

	if (!engine->irqchip)
		return 0;
	for (uint32_t gsi = 0; gsi < IOAPIC_PINS; gsi++) {
		if (gsi == TIMER_IOAPIC)
			continue;
		if (gsi < PIC_PINS)
			out[n++] =
				pin(gsi, gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
				    gsi & 7);
		out[n++] = pin(gsi, KVM_IRQCHIP_IOAPIC, gsi == TIMER ? TIMER_IOAPIC : gsi);
	}
	return n;
}

/* ---- lines ---- */

int hv_kvm_irq_line(struct hv_engine *engine, uint32_t gsi, bool level)
{
	struct kvm_irq_level line = {.irq = gsi, .level = level};

	return vm_ioctl(engine, KVM_IRQ_LINE, &line);
}

/* api.rst, KVM_IRQFD: KVM lowers the line at the end of the interrupt, and then tells. */
int hv_kvm_irqfd_level(struct hv_engine *engine, int trigger, int ended, uint32_t gsi, bool attach)
{
	struct kvm_irqfd request = {
		.fd = (uint32_t)trigger,
		.gsi = gsi,
		.flags = attach ? KVM_IRQFD_FLAG_RESAMPLE : KVM_IRQFD_FLAG_DEASSIGN,
		.resamplefd = (uint32_t)ended,
	};

	return engine->irqchip ? vm_ioctl(engine, KVM_IRQFD, &request) : -ENOTSUP;
}

/* ---- standing still ---- */

/* The timer's ticks come from the host's clock. Set again when the guest goes on, it starts a new
 * period then, and what it counted up meanwhile is forgotten. */
int hv_kvm_pit_stop(struct hv_engine *engine)
{
	return engine->pit ? vm_ioctl(engine, KVM_GET_PIT2, &engine->pit_state) : 0;
}

int hv_kvm_pit_start(struct hv_engine *engine)
{
	return engine->pit ? vm_ioctl(engine, KVM_SET_PIT2, &engine->pit_state) : 0;
}

int hv_kvm_irqchip_save(struct hv_engine *engine, struct state *s)
{
	for (uint32_t id = 0; engine->irqchip && id < KVM_NR_IRQCHIPS; id++) {
		struct kvm_irqchip chip = {.chip_id = id};
		int rc = vm_ioctl(engine, KVM_GET_IRQCHIP, &chip);

		if (rc < 0)
			return rc;
		state_put_bytes(state_item(s, "irqchip", id), "chip", &chip.chip,
				sizeof(chip.chip));
	}
	if (engine->pit)
		state_put_bytes(s, "pit", &engine->pit_state, sizeof(engine->pit_state));
	return 0;
}

int hv_kvm_irqchip_load(struct hv_engine *engine, struct state *s)
{
	if (state_has(s, "irqchip0") != engine->irqchip || state_has(s, "pit") != engine->pit) {
		state_refuse(s, -EINVAL,
			     "its interrupt controllers were somewhere else: see --irqchip");
		return -EINVAL;
	}
	for (uint32_t id = 0; engine->irqchip && id < KVM_NR_IRQCHIPS; id++) {
		struct kvm_irqchip chip = {.chip_id = id};

		state_take_bytes(state_open_item(s, "irqchip", id), "chip", &chip.chip,
				 sizeof(chip.chip));
		int rc = state_error(s) ? state_error(s) : vm_ioctl(engine, KVM_SET_IRQCHIP, &chip);
		if (rc < 0)
			return rc;
	}
	if (engine->pit)
		state_take_bytes(s, "pit", &engine->pit_state, sizeof(engine->pit_state));
	return state_error(s);
}
