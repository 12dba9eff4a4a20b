/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * q35: how the PCI root of a machine that boots by firmware looks: an Intel Q35 memory controller
 * (MCH) at 00:00.0 and an ICH9 ISA bridge (LPC) at 00:1f.0, with the subsystem ID by which firmware
 * tells an emulated board from a real one.
 *
 * OVMF and SeaBIOS choose their code by these IDs and write: PCIEXBAR (where ECAM is to be, which
 * is obeyed), PAM (RAM below 1 MiB, which here is always RAM), PMBASE and ACPI_CNTL (where the PM
 * block is, fixed here at the place both choose), PIRQ routing (by which PCI's lines reach the 8259
 * pair) and RCBA (kept, without effect).
 *
 * Registers: Intel 3 Series chipset datasheet, 5.1 (MCH); ICH9 datasheet, 13.1 (LPC).
 */
#include "vdev/q35.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "vdev/pm.h"

#define VENDOR_INTEL	 0x8086u
#define DEVICE_MCH	 0x29c0u
#define DEVICE_LPC	 0x2918u
#define SUBSYSTEM_VENDOR 0x1af4u
#define SUBSYSTEM_DEVICE 0x1100u
#define CLASS_HOST	 0x0600u
#define CLASS_ISA	 0x0601u

#define MCH_PCIEXBAR	0x60u
#define PCIEXBAR_ENABLE 1u
#define PCIEXBAR_LENGTH 6u /* bits 2:1; 0 is 256 MiB */
#define MCH_PAM0	0x90u
#define PAM_COUNT	7u
#define PAM_RAM		0x33 /* reads and writes go to RAM */
#define PAM0_RAM	0x30
#define MCH_SMRAM	0x9du
#define MCH_SCRATCH	0xdcu

#define LPC_PMBASE    0x40u
#define LPC_ACPI_CNTL 0x44u
#define LPC_PIRQ_A    0x60u
#define LPC_PIRQ_E    0x68u
#define PIRQ_DISABLED 0x80
#define LPC_RCBA      0xf0u

static void identify(struct vdev_config *c, uint16_t device, uint16_t class)
{
	memset(c, 0, sizeof(*c));
	vdev_config_set(c, PCI_VENDOR_ID, 2, VENDOR_INTEL);
	vdev_config_set(c, PCI_DEVICE_ID, 2, device);
	vdev_config_set(c, PCI_REVISION_ID, 1, 2);
	vdev_config_set(c, PCI_CLASS_DEVICE, 2, class);
	vdev_config_set(c, PCI_SUBSYSTEM_VENDOR_ID, 2, SUBSYSTEM_VENDOR);
	vdev_config_set(c, PCI_SUBSYSTEM_ID, 2, SUBSYSTEM_DEVICE);
	vdev_config_set(c, PCI_COMMAND, 2,
			PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static uint32_t config_read(struct vdev_function *fn, unsigned offset, unsigned len)
{
	return vdev_config_get(&fn->config, offset, len);
}

/* ---- MCH ---- */

/* ECAM lies where PCIEXBAR says. */
static void follow_pciexbar(struct vdev_function *fn)
{
	struct vdev_host *host = container_of(fn, struct vdev_host, root);
	uint32_t low = vdev_config_get(&fn->config, MCH_PCIEXBAR, 4);

	/* Above 4 GiB or smaller than the whole is never asked for by what we start. */
	bool usable = (low & PCIEXBAR_ENABLE) && !(low & PCIEXBAR_LENGTH) &&
		      !vdev_config_get(&fn->config, MCH_PCIEXBAR + 4, 4);
	vdev_host_place_ecam(host, usable ? low & 0xf0000000u : 0);
}

static void mch_write(struct vdev_function *fn, unsigned offset, unsigned len, uint32_t value)
{
	vdev_config_write(&fn->config, offset, len, value);
	if (vdev_config_hits(offset, len, MCH_PCIEXBAR, 8))
		follow_pciexbar(fn);
}

static int mch_load(struct vdev_function *fn, struct state *s)
{
	(void)s; /* the registers are there by now */
	follow_pciexbar(fn);
	return 0;
}

static const struct vdev_function_ops mch_ops = {
	.config_read = config_read,
	.config_write = mch_write,
	.load = mch_load,
};

static void build_mch(struct vdev_config *c)
{
	identify(c, DEVICE_MCH, CLASS_HOST);
	vdev_config_allow(c, PCI_COMMAND, 2, PCI_COMMAND_SERR | PCI_COMMAND_PARITY);
	vdev_config_allow(c, MCH_PCIEXBAR, 4, 0xf0000007);
	vdev_config_allow(c, MCH_PCIEXBAR + 4, 4, 0x0000000f);
	/* As after power-on, which makes a BIOS copy itself there; it is RAM all the time. */
	vdev_config_allow(c, MCH_PAM0, 1, PAM0_RAM);
	for (unsigned i = 1; i < PAM_COUNT; i++)
		vdev_config_allow(c, MCH_PAM0 + i, 1, PAM_RAM);
	vdev_config_set(c, MCH_SMRAM, 1, 0x02);
	vdev_config_allow(c, MCH_SCRATCH, 4, 0xffffffff);
}

/* ---- LPC ---- */

struct lpc {
	struct vdev_function fn;
	struct vdev_host *host;
};

static uint8_t route(const struct vdev_host *host, unsigned line)
{
	return host->isa->config.data[line < 4 ? LPC_PIRQ_A + line : LPC_PIRQ_E + line - 4];
}

/* Inputs that PCI may be led to; the others are ISA's (ICH9, 13.1.9). */
#define PIRQ_INPUTS 0xdef8u

/* An input is up while any of the lines that lead to it is. */
static void drive(struct vdev_host *host, uint16_t inputs)
{
	uint16_t up = 0;

	for (unsigned line = 0; line < 8; line++) {
		uint8_t to = route(host, line);

		if (!(to & PIRQ_DISABLED) && host->pirq & 1u << line)
			up |= (uint16_t)(1u << (to & 15));
	}
	for (unsigned input = 0; input < 16; input++)
		if (inputs & PIRQ_INPUTS & 1u << input)
			hv_irq_set_pic(host->vm, input, up & 1u << input);
}

/* Which inputs the lines lead to. */
static uint16_t targets(const struct vdev_host *host)
{
	uint16_t inputs = 0;

	for (unsigned line = 0; line < 8; line++)
		if (!(route(host, line) & PIRQ_DISABLED))
			inputs |= (uint16_t)(1u << (route(host, line) & 15));
	return inputs;
}

void vdev_q35_line(struct vdev_host *host, unsigned line, bool level)
{
	uint8_t bit = (uint8_t)(1u << line), to = route(host, line);

	host->pirq = (uint8_t)(level ? host->pirq | bit : host->pirq & ~bit);
	if (!(to & PIRQ_DISABLED))
		drive(host, (uint16_t)(1u << (to & 15)));
}

static void lpc_write(struct vdev_function *fn, unsigned offset, unsigned len, uint32_t value)
{
	struct vdev_host *host = container_of(fn, struct lpc, fn)->host;
	uint16_t before = targets(host);

	vdev_config_write(&fn->config, offset, len, value);
	drive(host, before | targets(host));
}

static const struct vdev_function_ops lpc_ops = {
	.config_read = config_read,
	.config_write = lpc_write,
};

static void build_lpc(struct vdev_config *c)
{
	identify(c, DEVICE_LPC, CLASS_ISA);
	vdev_config_allow(c, PCI_COMMAND, 2, PCI_COMMAND_SERR | PCI_COMMAND_PARITY);
	vdev_config_set(c, LPC_PMBASE, 4, VDEV_PM_PORT | 1); /* bit 0: I/O space */
	vdev_config_allow(c, LPC_ACPI_CNTL, 1, 0x87);
	for (unsigned i = 0; i < 4; i++) {
		vdev_config_set(c, LPC_PIRQ_A + i, 1, PIRQ_DISABLED);
		vdev_config_allow(c, LPC_PIRQ_A + i, 1, 0x8f);
		vdev_config_set(c, LPC_PIRQ_E + i, 1, PIRQ_DISABLED);
		vdev_config_allow(c, LPC_PIRQ_E + i, 1, 0x8f);
	}
	vdev_config_allow(c, LPC_RCBA, 4, 0xffffc001);
}

int vdev_q35_create(struct vdev_host *host)
{
	struct lpc *lpc = calloc(1, sizeof(*lpc));

	if (!lpc)
		return log_fail(-ENOMEM, hv_vm_name(host->vm), "no memory for its ISA bridge");
	*lpc = (struct lpc){.fn = {.name = "isa bridge", .ops = &lpc_ops}, .host = host};
	build_lpc(&lpc->fn.config);
	build_mch(&host->root.config);
	host->root.ops = &mch_ops;
	host->isa = &lpc->fn;
	return 0;
}

void vdev_q35_destroy(struct vdev_host *host)
{
	if (host->isa)
		free(container_of(host->isa, struct lpc, fn));
	host->isa = NULL;
}

void vdev_q35_save(const struct vdev_host *host, struct state *s)
{
	vdev_config_save(&host->isa->config, s);
	state_put(s, "pirq", host->pirq);
}

void vdev_q35_load(struct vdev_host *host, struct state *s)
{
	vdev_config_load(&host->isa->config, s);
	host->pirq = (uint8_t)state_take(s, "pirq", 0xff);
}
