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
#include "hv-core/acpi_numa.h"
#include "hv-core/dsdt.h"
#include "hv-core/numa.h"

#define OEM_ID	     "SLUICE"
#define OEM_TABLE_ID "SLUICEVM"
#define TABLE_ALIGN  ((size_t)64)
#define TABLES_MAX   5 /* that the XSDT may point at */

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

#define SPACE_IO     1
#define ACCESS_BYTE  1
#define ACCESS_WORD  2
#define ACCESS_DWORD 3

/* 5.2.9; a hardware-reduced machine must leave all that is about PM blocks zero */
struct fadt {
	struct table_header header;
	uint32_t firmware_ctrl, dsdt;
	uint8_t reserved0, preferred_pm_profile;
	uint16_t sci_int;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base;
	uint8_t cst_cnt;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t iapc_boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct address reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_version;
	uint64_t x_firmware_ctrl, x_dsdt;
	struct address x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr;
	struct address x_gpe0, x_gpe1;
	struct address sleep_control, sleep_status;
	char hypervisor_vendor[8];
} __attribute__((packed));

_Static_assert(sizeof(struct table_header) == 36, "ACPI 6.5, table 5.4");
_Static_assert(sizeof(struct rsdp) == 36, "ACPI 6.5, table 5.3");
_Static_assert(offsetof(struct fadt, iapc_boot_arch) == 109, "ACPI 6.5, table 5.9");
_Static_assert(offsetof(struct fadt, flags) == 112, "ACPI 6.5, table 5.9");
_Static_assert(offsetof(struct fadt, reset_reg) == 116, "ACPI 6.5, table 5.9");
_Static_assert(offsetof(struct fadt, pm_tmr) == 76, "ACPI 6.5, table 5.9");
_Static_assert(offsetof(struct fadt, x_pm_tmr) == 208, "ACPI 6.5, table 5.9");
_Static_assert(offsetof(struct fadt, x_dsdt) == 140, "ACPI 6.5, table 5.9");
_Static_assert(offsetof(struct fadt, sleep_control) == 244, "ACPI 6.5, table 5.9");
_Static_assert(sizeof(struct fadt) == 276, "ACPI 6.5, table 5.9");

enum {
	PM_PROFILE_ENTERPRISE_SERVER = 4,
	/* 5.2.9.3: no legacy devices, no 8042 (bits 0, 1 clear); and none of these */
	BOOT_ARCH_LEGACY = 1 << 0,
	BOOT_ARCH_NO_VGA = 1 << 2,
	BOOT_ARCH_NO_ASPM = 1 << 4,
	BOOT_ARCH_NO_CMOS_RTC = 1 << 5,
	/* 5.2.9, table 5.10 */
	FADT_WBINVD = 1 << 0,
	FADT_PROC_C1 = 1 << 2,
	FADT_PWR_BUTTON = 1 << 4, /* not a fixed feature: a device, if any */
	FADT_SLP_BUTTON = 1 << 5,
	FADT_TMR_VAL_EXT = 1 << 8, /* the PM timer has 32 bits */
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
	uint32_t lapic_address, flags;
} __attribute__((packed));

#define MADT_PCAT_COMPAT 1u /* there is an 8259 pair as well */
/* 5.2.12.5, table 5.25 */
#define MADT_ACTIVE_HIGH 0x01
#define MADT_LEVEL	 0x0c

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

/* 5.2.10; the firmware's part is never used here, but ACPI without hardware reduction has one */
struct facs {
	char signature[4];
	uint32_t length, hardware_signature, waking_vector, global_lock, flags;
	uint64_t x_waking_vector;
	uint8_t version, reserved0[3];
	uint32_t ospm_flags;
	uint8_t reserved1[24];
} __attribute__((packed));

_Static_assert(sizeof(struct facs) == 64, "ACPI 6.5, table 5.12");

/* 5.2.12.5 */
struct madt_override {
	uint8_t type, length, bus, source;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));

_Static_assert(sizeof(struct madt_override) == 10, "ACPI 6.5, table 5.24");

/* The tables being put together. */
struct image {
	uint64_t base;
	uint8_t *data;
	size_t len;
	struct hv_acpi_marks *marks; /* NULL: nobody will move them */
};

static void mark_pointer(struct image *image, uint64_t table, size_t offset, uint8_t size)
{
	struct hv_acpi_marks *marks = image->marks;

	if (!marks || marks->pointers == ARRAY_SIZE(marks->pointer))
		return;
	marks->pointer[marks->pointers].at = (uint32_t)(table - image->base + offset);
	marks->pointer[marks->pointers++].size = size;
}

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
	image->data = data;
	image->len = start + len;
	*at = image->base + start;
	h = (struct table_header *)(void *)(data + start);
	if (memcmp(h->signature, "FACS", 4) == 0)
		return 0; /* the one table without a checksum */
	h->checksum = 0;
	h->checksum = checksum(h, len);
	if (image->marks && image->marks->tables < ARRAY_SIZE(image->marks->table)) {
		struct hv_acpi_mark *mark = &image->marks->table[image->marks->tables++];

		*mark = (struct hv_acpi_mark){(uint32_t)start, (uint32_t)len};
	}
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

static int append_facs(struct image *image, uint64_t *at)
{
	struct facs facs = {
		.signature = {'F', 'A', 'C', 'S'}, .length = sizeof(facs), .version = 2};

	return append(image, &facs, sizeof(facs), at);
}

static struct address io_block(uint32_t port, uint8_t bits, uint8_t access)
{
	return (struct address){SPACE_IO, bits, 0, access, port};
}

/* The fixed hardware of ACPI 6.5, 4.8.3. There is no SMI command port: ACPI mode is always on. */
static int append_full_fadt(struct image *image, const struct hv_acpi_config *config, uint64_t dsdt,
			    uint64_t facs, uint64_t *at)
{
	uint32_t evt = config->pm_port, cnt = evt + 4, timer = evt + 8, gpe = evt + 12;
	struct fadt fadt = {
		.preferred_pm_profile = PM_PROFILE_ENTERPRISE_SERVER,
		.firmware_ctrl = (uint32_t)facs,
		.dsdt = (uint32_t)dsdt,
		.sci_int = config->sci_gsi,
		.pm1a_evt = evt,
		.pm1a_cnt = cnt,
		.pm_tmr = timer,
		.gpe0 = gpe,
		.pm1_evt_len = 4,
		.pm1_cnt_len = 2,
		.pm_tmr_len = 4,
		.gpe0_len = 2,
		.c2_latency = 0xfff, /* no C2 and no C3 */
		.c3_latency = 0xfff,
		.century = 0x32, /* index in the RTC's memory */
		.iapc_boot_arch = BOOT_ARCH_LEGACY | BOOT_ARCH_NO_VGA | BOOT_ARCH_NO_ASPM,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_TMR_VAL_EXT |
			 FADT_RESET_REG,
		.reset_reg = io_byte(config->reset_port),
		.reset_value = config->reset_value,
		.minor_version = 5,
		.x_dsdt = dsdt,
		.x_pm1a_evt = io_block(evt, 32, ACCESS_WORD),
		.x_pm1a_cnt = io_block(cnt, 16, ACCESS_WORD),
		.x_pm_tmr = io_block(timer, 32, ACCESS_DWORD),
		.x_gpe0 = io_block(gpe, 16, ACCESS_BYTE),
	};

	memcpy(fadt.hypervisor_vendor, "SLUICE", 6);
	start_header(&fadt.header, "FACP", 6, sizeof(fadt));
	int err = append(image, &fadt, sizeof(fadt), at);
	if (err == 0) {
		mark_pointer(image, *at, offsetof(struct fadt, firmware_ctrl), 4);
		mark_pointer(image, *at, offsetof(struct fadt, dsdt), 4);
		mark_pointer(image, *at, offsetof(struct fadt, x_dsdt), 8);
	}
	return err;
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

/* The timer is wired to another input than the ISA bus has it; the SCI is level, active high. */
static size_t put_overrides(uint8_t *to, uint8_t sci)
{
	const struct madt_override overrides[] = {
		{2, sizeof(overrides[0]), 0, 0, 2, 0},
		{2, sizeof(overrides[0]), 0, sci, sci, MADT_ACTIVE_HIGH | MADT_LEVEL},
	};

	memcpy(to, overrides, sizeof(overrides));
	return sizeof(overrides);
}

static int append_madt(struct image *image, const struct hv_acpi_input *input, uint64_t *at)
{
	struct madt_head head = {.lapic_address = LAPIC_BASE};
	struct madt_ioapic ioapic = {1, sizeof(ioapic), 0, 0, input->ioapic_base, 0};
	uint8_t table[sizeof(head) + HV_MAX_CPUS * sizeof(struct madt_x2apic) + sizeof(ioapic) +
		      2 * sizeof(struct madt_override)];
	size_t len = sizeof(head);

	for (unsigned cpu = 0; cpu < input->cpus; cpu++)
		len += hv_acpi_cpu_entry(table + len, cpu, input->apic_ids[cpu],
					 !input->config->cpu_port ||
						 cpu < input->config->cpus_present);
	memcpy(table + len, &ioapic, sizeof(ioapic));
	len += sizeof(ioapic);
	if (input->config->pm_port) {
		head.flags = MADT_PCAT_COMPAT;
		len += put_overrides(table + len, input->config->sci_gsi);
	}
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

/* SRAT or SLIT, whose contents `fill` writes. */
static int append_numa(struct image *image, const struct hv_acpi_input *input,
		       const char *signature, uint8_t revision,
		       size_t (*fill)(const struct hv_acpi_input *, uint8_t *), uint64_t *at)
{
	struct table_header header;
	uint8_t table[sizeof(header) + MAX(HV_ACPI_SRAT_MAX, HV_ACPI_SLIT_MAX)];
	size_t len = sizeof(header) + fill(input, table + sizeof(header));

	start_header(&header, signature, revision, len);
	memcpy(table, &header, sizeof(header));
	return append(image, table, len, at);
}

static int append_xsdt(struct image *image, const uint64_t *tables, size_t count, uint64_t *at)
{
	struct {
		struct table_header header;
		uint64_t entry[TABLES_MAX];
	} __attribute__((packed)) xsdt;
	size_t len = sizeof(xsdt.header) + count * sizeof(xsdt.entry[0]);

	start_header(&xsdt.header, "XSDT", 1, len);
	memcpy((uint8_t *)&xsdt + sizeof(xsdt.header), tables, count * sizeof(tables[0]));
	int err = append(image, &xsdt, len, at);
	for (size_t i = 0; err == 0 && i < count; i++)
		mark_pointer(image, *at, sizeof(xsdt.header) + i * sizeof(tables[0]), 8);
	return err;
}

/* 5.2.7: the same with addresses of 32 bits, for small kernels that know no XSDT. A firmware makes
 * its own. */
static int append_rsdt(struct image *image, const uint64_t *tables, size_t count, uint64_t *at)
{
	struct {
		struct table_header header;
		uint32_t entry[TABLES_MAX];
	} __attribute__((packed)) rsdt;
	size_t len = sizeof(rsdt.header) + count * sizeof(rsdt.entry[0]);

	if (image->marks)
		return 0;
	start_header(&rsdt.header, "RSDT", 1, len);
	for (size_t i = 0; i < count; i++)
		rsdt.entry[i] = (uint32_t)tables[i];
	return append(image, &rsdt, len, at);
}

/* Where the two lists of tables are; rsdt 0: there is none. */
struct roots {
	uint64_t xsdt, rsdt;
};

static void fill_rsdp(uint8_t *to, const struct roots *roots)
{
	struct rsdp rsdp = {
		.signature = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '},
		.revision = 2,
		.length = sizeof(rsdp),
		.rsdt_address = (uint32_t)roots->rsdt,
		.xsdt_address = roots->xsdt,
	};

	memcpy(rsdp.oem_id, OEM_ID, sizeof(rsdp.oem_id));
	rsdp.checksum = checksum(&rsdp, 20); /* the part that revision 0 had */
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	memcpy(to, &rsdp, sizeof(rsdp));
}

/* All tables but the RSDP, which needs no more than the roots' addresses. */
static int append_all(struct image *image, const struct hv_acpi_input *input, struct roots *roots)
{
	uint64_t dsdt = 0, facs = 0, table[TABLES_MAX] = {0};
	size_t count = 3;
	int err = append_dsdt(image, input, &dsdt);

	if (err == 0 && input->config->pm_port) {
		err = append_facs(image, &facs);
		if (err == 0)
			err = append_full_fadt(image, input->config, dsdt, facs, &table[0]);
	} else if (err == 0) {
		err = append_fadt(image, input->config, dsdt, &table[0]);
	}
	if (err == 0)
		err = append_madt(image, input, &table[1]);
	if (err == 0)
		err = append_mcfg(image, input, &table[2]);
	if (err == 0 && hv_acpi_has_srat(input))
		err = append_numa(image, input, "SRAT", 3, hv_acpi_srat, &table[count++]);
	if (err == 0 && input->numa && input->numa->count)
		err = append_numa(image, input, "SLIT", 1, hv_acpi_slit, &table[count++]);
	if (err == 0)
		err = append_xsdt(image, table, count, &roots->xsdt);
	return err ? err : append_rsdt(image, table, count, &roots->rsdt);
}

int hv_acpi_build(const struct hv_acpi_input *input, uint64_t base, uint8_t **out, size_t *size)
{
	struct image image = {.base = base, .len = sizeof(struct rsdp)};
	struct roots roots = {0, 0};
	int err;

	image.data = calloc(1, image.len);
	err = image.data ? append_all(&image, input, &roots) : -ENOMEM;
	if (err < 0) {
		free(image.data);
		return err;
	}
	fill_rsdp(image.data, &roots);
	*out = image.data;
	*size = image.len;
	return 0;
}

int hv_acpi_build_movable(const struct hv_acpi_input *input, struct hv_acpi_blob *out,
			  struct hv_acpi_marks *marks)
{
	struct image image = {.marks = marks};
	const size_t rsdp_size = sizeof(struct rsdp);
	struct roots roots = {0, 0};
	int err = append_all(&image, input, &roots);

	out->rsdp = calloc(1, rsdp_size);
	if (err < 0 || !out->rsdp) {
		free(image.data);
		free(out->rsdp);
		out->rsdp = NULL;
		return err < 0 ? err : -ENOMEM;
	}
	fill_rsdp(out->rsdp, &roots);
	out->rsdp_size = sizeof(struct rsdp);
	out->tables = image.data;
	out->tables_size = image.len;
	return 0;
}
