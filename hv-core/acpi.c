/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acpi: RSDP, XSDT, FADT, MADT and MCFG as packed structures, and their place in memory. The DSDT,
 * which is code, comes from dsdt.c.
 */
#include "hv-core/acpi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hv-core/dsdt.h"

#define OEM_ID	     "SLUICE"
#define OEM_TABLE_ID "SLUICEVM"
#define TABLE_ALIGN  ((size_t)64)

/* ACPI 6.5, 5.2.6 */
struct table_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

/* 5.2.5.3 */
struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt_address, length;
	uint64_t xsdt_address;
	uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

/* 5.2.3.2 */
struct address {
	uint8_t space, bits, offset, access;
	uint64_t address;
} __attribute__((packed));

#define SPACE_IO    1
#define ACCESS_BYTE 1

/* 5.2.9; what a hardware-reduced machine must leave zero is not named */
struct fadt {
	struct table_header header;
	uint32_t firmware_ctrl, dsdt;
	uint8_t reserved0, preferred_pm_profile;
	uint8_t unused0[109 - 46];
	uint16_t iapc_boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct address reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_version;
	uint64_t x_firmware_ctrl, x_dsdt;
	struct address unused1[8];
	struct address sleep_control, sleep_status;
	char hypervisor_vendor[8];
} __attribute__((packed));

_Static_assert(sizeof(struct table_header) == 36, "ACPI 6.5, table 5.4");
_Static_assert(sizeof(struct rsdp) == 36, "ACPI 6.5, table 5.3");
_Static_assert(offsetof(struct fadt, iapc_boot_arch) == 109, "ACPI 6.5, table 5.9");
_Static_assert(offsetof(struct fadt, flags) == 112, "ACPI 6.5, table 5.9");
_Static_assert(offsetof(struct fadt, reset_reg) == 116, "ACPI 6.5, table 5.9");
_Static_assert(offsetof(struct fadt, x_dsdt) == 140, "ACPI 6.5, table 5.9");
_Static_assert(offsetof(struct fadt, sleep_control) == 244, "ACPI 6.5, table 5.9");
_Static_assert(sizeof(struct fadt) == 276, "ACPI 6.5, table 5.9");

enum {
	PM_PROFILE_ENTERPRISE_SERVER = 4,
	/* 5.2.9.3: no legacy devices, no 8042 (bits 0, 1 clear); and none of these */
	BOOT_ARCH_NO_VGA = 1 << 2,
	BOOT_ARCH_NO_ASPM = 1 << 4,
	BOOT_ARCH_NO_CMOS_RTC = 1 << 5,
	/* 5.2.9, table 5.10 */
	FADT_WBINVD = 1 << 0,
	FADT_PROC_C1 = 1 << 2,
	FADT_PWR_BUTTON = 1 << 4, /* not a fixed feature: a device, if any */
	FADT_SLP_BUTTON = 1 << 5,
	FADT_RESET_REG = 1 << 10,
	FADT_HW_REDUCED = 1 << 20,
};

/* 5.2.12.2, 5.2.12.12, 5.2.12.3 */
struct madt_lapic {
	uint8_t type, length, uid, apic_id;
	uint32_t flags;
} __attribute__((packed));

struct madt_x2apic {
	uint8_t type, length;
	uint16_t reserved;
	uint32_t apic_id, flags, uid;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} __attribute__((packed));

_Static_assert(sizeof(struct madt_lapic) == 8, "ACPI 6.5, table 5.21");
_Static_assert(sizeof(struct madt_x2apic) == HV_ACPI_CPU_ENTRY, "longest of a CPU's");
_Static_assert(sizeof(struct madt_x2apic) == 16, "ACPI 6.5, table 5.31");
_Static_assert(sizeof(struct madt_ioapic) == 12, "ACPI 6.5, table 5.22");

/* 5.2.12.2.1 */
#define MADT_ENABLED	    1u
#define MADT_ONLINE_CAPABLE 2u

#define LAPIC_BASE   0xfee00000u
#define LAPIC_MAX_ID 255u /* and above: x2APIC entries only */

struct madt_head {
	struct table_header header;
	uint32_t lapic_address, flags; /* no PCAT_COMPAT: there is no 8259 */
} __attribute__((packed));

/* PCI Firmware 3.3, 4.1.2 */
struct mcfg {
	struct table_header header;
	uint64_t reserved0;
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved1;
} __attribute__((packed));

_Static_assert(sizeof(struct mcfg) == 60, "PCI Firmware 3.3, table 4-2");

/* The tables being put together. */
struct image {
	uint64_t base;
	uint8_t *data;
	size_t len;
};

static uint8_t checksum(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return (uint8_t)-sum;
}

static void start_header(struct table_header *h, const char *signature, uint8_t revision,
			 size_t length)
{
	*h = (struct table_header){
		.length = (uint32_t)length,
		.revision = revision,
		.oem_revision = 1,
		.creator_revision = 1,
	};
	memcpy(h->signature, signature, sizeof(h->signature));
	memcpy(h->oem_id, OEM_ID, sizeof(h->oem_id));
	memcpy(h->oem_table_id, OEM_TABLE_ID, sizeof(h->oem_table_id));
	memcpy(h->creator_id, "SLUI", sizeof(h->creator_id));
}

/* Appends a table that starts with a header, aligned; sets its checksum; *at is its address. */
static int append(struct image *image, const void *table, size_t len, uint64_t *at)
{
	size_t start = ALIGN_UP(image->len, TABLE_ALIGN);
	uint8_t *data = realloc(image->data, start + len);
	struct table_header *h;

	if (!data)
		return -ENOMEM;
	memset(data + image->len, 0, start - image->len);
	memcpy(data + start, table, len);
	h = (struct table_header *)(void *)(data + start);
	h->checksum = 0;
	h->checksum = checksum(h, len);
	image->data = data;
	image->len = start + len;
	*at = image->base + start;
	return 0;
}

static int append_dsdt(struct image *image, const struct hv_acpi_input *input, uint64_t *at)
{
	struct table_header header;
	uint8_t *code, *table;
	size_t len;
	int err = hv_dsdt_build(input, &code, &len);

	if (err < 0)
		return err;
	table = malloc(sizeof(header) + len);
	if (table) {
		start_header(&header, "DSDT", 2, sizeof(header) + len);
		memcpy(table, &header, sizeof(header));
		memcpy(table + sizeof(header), code, len);
	}
	free(code);
	err = table ? append(image, table, sizeof(header) + len, at) : -ENOMEM;
	free(table);
	return err;
}

static struct address io_byte(uint16_t port)
{
	return (struct address){SPACE_IO, 8, 0, ACCESS_BYTE, port};
}

static int append_fadt(struct image *image, const struct hv_acpi_config *config, uint64_t dsdt,
		       uint64_t *at)
{
	struct fadt fadt = {
		.preferred_pm_profile = PM_PROFILE_ENTERPRISE_SERVER,
		.iapc_boot_arch = BOOT_ARCH_NO_VGA | BOOT_ARCH_NO_ASPM | BOOT_ARCH_NO_CMOS_RTC,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_PWR_BUTTON | FADT_SLP_BUTTON |
			 FADT_RESET_REG | FADT_HW_REDUCED,
		.reset_reg = io_byte(config->reset_port),
		.reset_value = config->reset_value,
		.minor_version = 5,
		.x_dsdt = dsdt,
		.sleep_control = io_byte(config->sleep_port),
		.sleep_status = io_byte((uint16_t)(config->sleep_port + 1)),
	};

	memcpy(fadt.hypervisor_vendor, "SLUICE", 6);
	start_header(&fadt.header, "FACP", 6, sizeof(fadt));
	return append(image, &fadt, sizeof(fadt), at);
}

size_t hv_acpi_cpu_entry(uint8_t *to, unsigned cpu, unsigned apic_id, bool here)
{
	uint32_t flags = here ? MADT_ENABLED : MADT_ONLINE_CAPABLE;

	if (apic_id < LAPIC_MAX_ID) {
		struct madt_lapic e = {0, sizeof(e), (uint8_t)cpu, (uint8_t)apic_id, flags};

		memcpy(to, &e, sizeof(e));
		return sizeof(e);
	}
	struct madt_x2apic e = {9, sizeof(e), 0, apic_id, flags, cpu};

	memcpy(to, &e, sizeof(e));
	return sizeof(e);
}

static int append_madt(struct image *image, const struct hv_acpi_input *input, uint64_t *at)
{
	struct madt_head head = {.lapic_address = LAPIC_BASE};
	struct madt_ioapic ioapic = {1, sizeof(ioapic), 0, 0, input->ioapic_base, 0};
	uint8_t table[sizeof(head) + HV_MAX_CPUS * sizeof(struct madt_x2apic) + sizeof(ioapic)];
	size_t len = sizeof(head);

	for (unsigned cpu = 0; cpu < input->cpus; cpu++)
		len += hv_acpi_cpu_entry(table + len, cpu, input->apic_ids[cpu],
					 !input->config->cpu_port ||
						 cpu < input->config->cpus_present);
	memcpy(table + len, &ioapic, sizeof(ioapic));
	len += sizeof(ioapic);
	start_header(&head.header, "APIC", 5, len);
	memcpy(table, &head, sizeof(head));
	return append(image, table, len, at);
}

static int append_mcfg(struct image *image, const struct hv_acpi_input *input, uint64_t *at)
{
	struct mcfg mcfg = {
		.base = input->layout->ecam.start,
		.last_bus = input->config->last_bus,
	};

	start_header(&mcfg.header, "MCFG", 1, sizeof(mcfg));
	return append(image, &mcfg, sizeof(mcfg), at);
}

static int append_xsdt(struct image *image, const uint64_t *tables, size_t count, uint64_t *at)
{
	struct {
		struct table_header header;
		uint64_t entry[4];
	} __attribute__((packed)) xsdt;
	size_t len = sizeof(xsdt.header) + count * sizeof(xsdt.entry[0]);

	start_header(&xsdt.header, "XSDT", 1, len);
	memcpy((uint8_t *)&xsdt + sizeof(xsdt.header), tables, count * sizeof(tables[0]));
	return append(image, &xsdt, len, at);
}

static void fill_rsdp(struct image *image, uint64_t xsdt)
{
	struct rsdp rsdp = {
		.signature = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '},
		.revision = 2,
		.length = sizeof(rsdp),
		.xsdt_address = xsdt,
	};

	memcpy(rsdp.oem_id, OEM_ID, sizeof(rsdp.oem_id));
	rsdp.checksum = checksum(&rsdp, 20); /* the part that revision 0 had */
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	memcpy(image->data, &rsdp, sizeof(rsdp));
}

int hv_acpi_build(const struct hv_acpi_input *input, uint64_t base, uint8_t **out, size_t *size)
{
	struct image image = {.base = base, .len = sizeof(struct rsdp)};
	uint64_t dsdt = 0, xsdt = 0, table[3] = {0};
	int err;

	image.data = calloc(1, image.len);
	err = image.data ? append_dsdt(&image, input, &dsdt) : -ENOMEM;
	if (err == 0)
		err = append_fadt(&image, input->config, dsdt, &table[0]);
	if (err == 0)
		err = append_madt(&image, input, &table[1]);
	if (err == 0)
		err = append_mcfg(&image, input, &table[2]);
	if (err == 0)
		err = append_xsdt(&image, table, ARRAY_SIZE(table), &xsdt);
	if (err < 0) {
		free(image.data);
		return err;
	}
	fill_rsdp(&image, xsdt);
	*out = image.data;
	*size = image.len;
	return 0;
}
