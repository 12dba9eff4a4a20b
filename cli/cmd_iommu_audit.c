/* SPDX-License-Identifier: BSD-3-Clause */
/* iommu audit, dump, walk: the tables of the VT-d units, live or from a snapshot. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/iommu_facts.h"
#include "iommu/iommu.h"

static int open_audit(struct cli *cli, const struct cli_args *args, struct audit *audit)
{
	const char *file = cli_text(args, "--offline", NULL);
	const struct sysfs *fs = file ? NULL : cli_sysfs(cli);

	if (!file)
		return fs ? audit_open_live(fs, NULL, audit) : -EIO;
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return log_fail(-errno, file, "not opened: %m");
	int err = audit_load(fd, file, audit);
	io_close(&fd);
	return err;
}

/* ---- audit ---- */

static json_t *integer(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static char *address_of(uint32_t segment, uint16_t rid, char text[BDF_TEXT])
{
	const struct bdf bdf = {(uint16_t)segment, (uint8_t)(rid >> 8), (uint8_t)(rid >> 3 & 31),
				(uint8_t)(rid & 7)};

	return bdf_format(bdf, text);
}

static json_t *ranges_of(const struct audit_reach *reach)
{
	json_t *array = json_array();
	char text[64];

	for (size_t i = 0; i < MIN(reach->span_count, ARRAY_SIZE(reach->spans)); i++) {
		snprintf(text, sizeof(text), "0x%" PRIx64 "-0x%" PRIx64 "%s",
			 reach->spans[i].iova.start, reach->spans[i].iova.last,
			 reach->spans[i].write ? "" : " (read only)");
		json_array_append_new(array, json_string(text));
	}
	if (reach->span_count > ARRAY_SIZE(reach->spans))
		json_array_append_new(array, json_string("..."));
	return array;
}

static json_t *devices_of(const struct audit *audit, const struct audit_verdict *v)
{
	json_t *array = json_array();
	char bdf[BDF_TEXT];

	for (size_t i = 0; i < v->reach_count; i++) {
		const struct audit_reach *r = &v->reaches[i];
		const struct audit_device *d = r->device;
		json_t *row = json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "address",
					address_of(d->segment, d->rid, bdf), "owner",
					d->owner == AUDIT_HOST ? "" : audit->owners[d->owner].name,
					"driver", d->driver, "domain",
					r->present ? integer(r->domain) : json_null(), "readable",
					integer(r->readable), "writable", integer(r->writable),
					"mapped", integer(r->expected), "interrupts",
					integer(r->interrupts), "posted", integer(r->posted),
					"faults", integer(r->faults), "ranges", ranges_of(r));
		json_object_set_new(row, "verdict", json_string(r->faults ? "FAULT" : "ok"));
		json_array_append_new(array, row);
	}
	return array;
}

static json_t *findings_of(const struct audit_verdict *v)
{
	json_t *array = json_array();
	char bdf[BDF_TEXT];

	for (size_t i = 0; i < v->finding_count; i++) {
		const struct audit_finding *f = &v->findings[i];
		json_t *row = json_pack(
			"{s:s,s:s,s:b,s:s}", "address", address_of(f->segment, f->rid, bdf), "kind",
			audit_kind_name(f->kind), "fault", !f->note, "text", f->text);
		if (f->iova.last) {
			json_object_set_new(row, "iova", integer(f->iova.start));
			json_object_set_new(row, "last", integer(f->iova.last));
			json_object_set_new(row, "physical", integer(f->phys));
		}
		json_array_append_new(array, row);
	}
	return array;
}

static json_t *verdict_json(const struct audit *audit, const struct audit_verdict *v)
{
	return json_pack("{s:b,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "pass", !v->faults, "faults",
			 integer(v->faults), "not_shown", integer(v->suppressed), "units",
			 integer(audit->unit_count), "contexts", integer(v->contexts),
			 "pass_through", integer(v->pass_throughs), "interrupts",
			 integer(v->interrupts), "table_pages", integer(v->tables), "devices",
			 devices_of(audit, v), "findings", findings_of(v));
}

static const struct cli_column device_columns[] = {
	{"ADDRESS", "address", CLI_SHOW_PLAIN},
	{"OWNER", "owner", CLI_SHOW_PLAIN},
	{"DOMAIN", "domain", CLI_SHOW_PLAIN},
	{"READS", "readable", CLI_SHOW_SIZE},
	{"WRITES", "writable", CLI_SHOW_SIZE},
	{"VM MAPPED", "mapped", CLI_SHOW_SIZE},
	{"IRQS", "interrupts", CLI_SHOW_PLAIN},
	{"POSTED", "posted", CLI_SHOW_PLAIN},
	{"VERDICT", "verdict", CLI_SHOW_PLAIN},
	{"REACHES", "ranges", CLI_SHOW_PLAIN},
	{0},
};

static void show_verdict(const json_t *json, const struct audit_verdict *v)
{
	const json_t *findings = json_object_get(json, "findings");

	cli_print_table(stdout, device_columns, json_object_get(json, "devices"));
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);
		printf("%s %s: %s: %s\n",
		       json_is_true(json_object_get(f, "fault")) ? "FAULT" : "note ",
		       json_string_value(json_object_get(f, "address")),
		       json_string_value(json_object_get(f, "kind")),
		       json_string_value(json_object_get(f, "text")));
	}
	if (v->suppressed)
		printf("%zu more findings are not shown\n", v->suppressed);
	printf("%s: %zu fault%s; %zu functions with a context entry (%zu pass through), %zu "
	       "interrupt entries, %zu table pages read\n",
	       v->faults ? "FAILED" : "passed", v->faults, v->faults == 1 ? "" : "s", v->contexts,
	       v->pass_throughs, v->interrupts, v->tables);
}

static int save(const struct audit *audit, const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return log_fail(-errno, file, "not made: %m");
	int err = audit_save(audit, fd);
	io_close(&fd);
	return err;
}

int cmd_iommu_audit(struct cli *cli, const struct cli_args *args)
{
	const char *file = cli_text(args, "--snapshot", NULL);
	struct audit_verdict verdict = {0};
	struct audit audit;
	int err = open_audit(cli, args, &audit);

	if (err)
		return CLI_FAILED;
	if (!cli_has(args, "--offline"))
		err = iommu_facts_add(cli, &audit);
	if (!err)
		err = audit_run_all(&audit, &verdict);
	if (!err && file)
		err = save(&audit, file);
	if (!err) {
		json_t *json = verdict_json(&audit, &verdict);
		if (cli->json)
			cli_print_json(stdout, json);
		else
			show_verdict(json, &verdict);
		json_decref(json);
	}
	bool passed = !err && !verdict.faults;
	audit_verdict_free(&verdict);
	audit_finish(&audit);
	return passed ? CLI_OK : CLI_FAILED;
}

/* ---- dump, walk ---- */

static void append_line(void *opaque, const char *text)
{
	json_array_append_new(opaque, json_string(text));
}

static void show_lines(const struct cli *cli, const json_t *lines)
{
	if (cli->json) {
		cli_print_json(stdout, lines);
		return;
	}
	for (size_t i = 0; i < json_array_size(lines); i++)
		puts(json_string_value(json_array_get(lines, i)));
}

int cmd_iommu_dump(struct cli *cli, const struct cli_args *args)
{
	json_t *lines = json_array();
	struct audit audit;
	int err = open_audit(cli, args, &audit);

	if (!err) {
		err = audit_dump(&audit, append_line, lines);
		audit_finish(&audit);
		show_lines(cli, lines);
	}
	json_decref(lines);
	return err ? CLI_FAILED : CLI_OK;
}

int cmd_iommu_walk(struct cli *cli, const struct cli_args *args)
{
	json_t *lines = json_array();
	struct audit audit;
	struct bdf bdf;
	uint64_t iova;
	int err = bdf_parse(args->operand, &bdf);

	if (err)
		log_error(args->operand, "not a PCI address such as 0000:01:10.0");
	else if ((err = parse_u64(args->more[0], 0, UINT64_MAX, &iova)))
		log_error(args->more[0], "not an I/O address such as 0x100000");
	else if (!(err = open_audit(cli, args, &audit))) {
		uint16_t rid = (uint16_t)(bdf.bus << 8 | bdf.dev << 3 | bdf.fn);
		const struct audit_device *d = audit_find_device(&audit, bdf.domain, rid);
		err = d ? audit_walk(&audit, &audit.units[d->unit], rid, iova, append_line, lines)
			: log_fail(-ENODEV, args->operand,
				   "no such function, or no VT-d unit stands before it");
		audit_finish(&audit);
		show_lines(cli, lines);
	}
	json_decref(lines);
	return err ? CLI_FAILED : CLI_OK;
}
