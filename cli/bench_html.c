/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_html: a report as one page: no script, no file beside it, charts drawn as SVG. It fits a
 * telephone (everything scales with its width) and paper (no dark ground, charts kept whole).
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cli/bench_report.h"

#define WIDTH  720
#define BAR    26
#define LEFT   150
#define HEIGHT 260

static const char *const colours[] = {"#b5442e", "#c98a1b", "#4c7a34", "#2a6f97",
				      "#5b4b8a", "#7a5c3e", "#888888", "#333333"};

static const char head[] =
	"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
	"<link rel=\"icon\" href=\"data:,\"><title>Sluice bench</title>\n<style>\n"
	"body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:0 auto;padding:1rem;"
	"color:#222;background:#fff}\n"
	"h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}\n"
	"svg{width:100%;height:auto;display:block}svg text{font:12px system-ui,sans-serif;fill:#222}\n"
	".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.875rem}\n"
	"td,th{padding:.25rem .5rem;text-align:right;border-bottom:1px solid #ddd}\n"
	"td:first-child,th:first-child{text-align:left}.no{color:#777}.bad{color:#b5442e}\n"
	".note{border-left:4px solid #c98a1b;padding:.25rem .75rem;background:#fdf6e7}\n"
	"@media print{body{max-width:none}figure,tr{break-inside:avoid}}figure{margin:0}\n"
	"</style></head><body>\n";

/* ---- text ---- */

static void put(FILE *out, const char *text)
{
	for (; text && *text; text++) {
		if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else
			fputc(*text, out);
	}
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static const json_t *work_of(const json_t *path, const char *name)
{
	const json_t *work;
	size_t i;

	json_array_foreach (json_object_get(path, "works"), i, work)
		if (!strcmp(text_of(work, "name"), name))
			return json_object_get(work, "median") ? work : NULL;
	return NULL;
}

/* ---- charts ---- */

typedef double (*value_fn)(const json_t *path, const char *key);

static double median_of(const json_t *path, const char *key)
{
	const json_t *work = work_of(path, key);

	return work ? number(work, "median") : -1;
}

static double cost_of(const json_t *path, const char *key)
{
	const json_t *cost = json_object_get(path, "cost");

	return cost ? number(cost, key) : -1;
}

static void bars(FILE *out, const json_t *report, const char *title, const char *key,
		 value_fn value, const char *unit)
{
	const json_t *paths = json_object_get(report, "paths"), *path;
	double most = 0;
	size_t i, rows = 0;

	json_array_foreach (paths, i, path) {
		double v = value(path, key);

		rows += v >= 0;
		most = v > most ? v : most;
	}
	if (!rows)
		return;
	fprintf(out,
		"<figure><h2>%s</h2>\n<svg viewBox=\"0 0 %d %zu\" role=\"img\" aria-label=\"%s\">\n",
		title, WIDTH, rows * BAR + 4, title);
	rows = 0;
	json_array_foreach (paths, i, path) {
		double v = value(path, key);
		double width = most > 0 ? v / most * (WIDTH - LEFT - 170) : 0;

		if (v < 0)
			continue;
		fprintf(out, "<text x=\"0\" y=\"%zu\">", rows * BAR + 17);
		put(out, text_of(path, "name"));
		fprintf(out,
			"</text><rect x=\"%d\" y=\"%zu\" width=\"%.1f\" height=\"18\" fill=\"%s\"/>",
			LEFT, rows * BAR + 4, width < 1 ? 1 : width, colours[i % 8]);
		fprintf(out, "<text x=\"%.1f\" y=\"%zu\">%.2f %s</text>\n", LEFT + width + 6,
			rows * BAR + 17, v, unit);
		rows++;
	}
	fprintf(out, "</svg></figure>\n");
}

/* Decades of time from left to right, shares from the bottom to the top. */
static double across(double ns, double low, double high)
{
	return 40 + (log10(ns > 1 ? ns : 1) - low) / (high - low) * (WIDTH - 60);
}

static void one_cdf(FILE *out, const json_t *path, size_t index, double low, double high)
{
	const json_t *point;
	size_t i;

	fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"",
		colours[index % 8]);
	json_array_foreach (json_object_get(json_object_get(path, "latency"), "cdf"), i, point)
		fprintf(out, "%.1f,%.1f ",
			across(json_number_value(json_array_get(point, 1)), low, high),
			HEIGHT - 30 - json_number_value(json_array_get(point, 0)) * (HEIGHT - 50));
	fprintf(out, "\"/>\n");
}

static void cdf(FILE *out, const json_t *report)
{
	const json_t *paths = json_object_get(report, "paths"), *path;
	double least = 1e18, most = 0;
	size_t i, shown = 0;

	json_array_foreach (paths, i, path) {
		const json_t *points = json_object_get(json_object_get(path, "latency"), "cdf");
		size_t count = json_array_size(points);
		double first, last;

		if (!count)
			continue;
		first = json_number_value(json_array_get(json_array_get(points, 0), 1));
		last = json_number_value(json_array_get(json_array_get(points, count - 1), 1));
		least = first < least ? first : least;
		most = last > most ? last : most;
	}
	if (most <= 0)
		return;
	double low = floor(log10(least)), high = ceil(log10(most) + 1e-9);
	fprintf(out,
		"<figure><h2>Latency, one request under way</h2>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" "
		"aria-label=\"share of requests answered within a time\">\n",
		WIDTH, HEIGHT + 24 * 4);
	for (double at = low; at <= high; at++) {
		double x = across(pow(10, at), low, high);

		fprintf(out, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"20\" y2=\"%d\" stroke=\"#ddd\"/>",
			x, x, HEIGHT - 30);
		fprintf(out, "<text x=\"%.1f\" y=\"%d\">%g us</text>\n", x - 12, HEIGHT - 12,
			pow(10, at - 3));
	}
	for (int share = 0; share <= 100; share += 25)
		fprintf(out, "<text x=\"0\" y=\"%.1f\">%d %%</text>\n",
			HEIGHT - 26 - share / 100.0 * (HEIGHT - 50), share);
	json_array_foreach (paths, i, path) {
		if (!json_object_get(path, "latency"))
			continue;
		one_cdf(out, path, i, low, high);
		fprintf(out, "<rect x=\"%zu\" y=\"%zu\" width=\"12\" height=\"12\" fill=\"%s\"/>",
			40 + shown % 3 * 220, HEIGHT + shown / 3 * 22, colours[i % 8]);
		fprintf(out, "<text x=\"%zu\" y=\"%zu\">", 58 + shown % 3 * 220,
			HEIGHT + 11 + shown / 3 * 22);
		put(out, text_of(path, "name"));
		fprintf(out, "</text>\n");
		shown++;
	}
	fprintf(out, "</svg></figure>\n");
}

/* ---- tables ---- */

static void table(FILE *out, const json_t *report)
{
	const json_t *path, *work;
	size_t i, j;

	fprintf(out,
		"<h2>All works</h2><div class=\"wide\"><table><tr><th>path, work</th><th>median</th>"
		"<th>&plusmn;</th><th>trials</th><th>invalid</th><th>unit</th></tr>\n");
	json_array_foreach (json_object_get(report, "paths"), i, path) {
		json_array_foreach (json_object_get(path, "works"), j, work) {
			fprintf(out, "<tr><td>");
			put(out, text_of(path, "name"));
			fprintf(out, ", ");
			put(out, text_of(work, "name"));
			fprintf(out, "</td><td>%.1f</td><td>%.1f</td><td>%zu</td><td>%.0f</td><td>",
				number(work, "median"), number(work, "spread"),
				json_array_size(json_object_get(work, "values")),
				number(work, "invalid"));
			put(out, text_of(work, "unit"));
			fprintf(out, "</td></tr>\n");
		}
	}
	fprintf(out, "</table></div>\n");
}

static void reasons(FILE *out, const json_t *report)
{
	const json_t *path;
	size_t i;

	fprintf(out, "<h2>Why</h2><dl>\n");
	json_array_foreach (json_object_get(report, "paths"), i, path) {
		bool there = json_is_true(json_object_get(path, "available"));

		fprintf(out, "<dt><b>");
		put(out, text_of(path, "name"));
		fprintf(out, "</b>: ");
		put(out, text_of(path, "label"));
		fprintf(out, "</dt><dd%s>", there ? "" : " class=\"no\"");
		if (!there)
			fprintf(out, "Skipped: ");
		put(out, text_of(path, there ? "why" : "why_not"));
		fprintf(out, "</dd>\n");
	}
	fprintf(out, "</dl>\n");
}

static void checks(FILE *out, const json_t *report)
{
	const json_t *item;
	size_t i;

	fprintf(out, "<h2>Checks</h2><ul>\n");
	json_array_foreach (json_object_get(report, "checks"), i, item) {
		bool ok = json_is_true(json_object_get(item, "ok"));

		fprintf(out, "<li%s>%s", ok ? "" : " class=\"bad\"", ok ? "" : "Not so: ");
		put(out, text_of(item, "name"));
		fprintf(out, " (");
		put(out, text_of(item, "detail"));
		fprintf(out, ")</li>\n");
	}
	fprintf(out, "</ul>\n");
}

static void environment(FILE *out, const json_t *report)
{
	const char *key;
	json_t *value;

	fprintf(out, "<h2>Measured on</h2><div class=\"wide\"><table>\n");
	json_object_foreach ((json_t *)(uintptr_t)json_object_get(report, "environment"), key,
			     value) {
		fprintf(out, "<tr><td>");
		put(out, key);
		fprintf(out, "</td><td>");
		if (json_is_string(value))
			put(out, json_string_value(value));
		else if (json_is_boolean(value))
			fputs(json_is_true(value) ? "yes" : "no", out);
		else
			fprintf(out, "%g", json_number_value(value));
		fprintf(out, "</td></tr>\n");
	}
	fprintf(out, "</table></div>\n");
}

void bench_report_html(FILE *out, const json_t *report)
{
	fputs(head, out);
	fprintf(out, "<h1>Sluice bench: ");
	put(out, text_of(report, "kind"));
	fprintf(out, "</h1>\n<p>");
	put(out, text_of(report, "started"));
	fprintf(out, ", %.0f rounds%s.</p>\n", number(report, "rounds"),
		json_is_true(json_object_get(report, "complete")) ? "" : ", cut short");
	if (json_is_true(json_object_get(json_object_get(report, "environment"), "emulated")))
		fprintf(out,
			"<p class=\"note\">This machine is an emulated one. Its times compare with nothing "
			"outside this run; exits and interrupts per packet do.</p>\n");
	bars(out, report, "Exits per packet", "exits", cost_of, "");
	bars(out, report, "TCP from the guest", "up", median_of, "Mbit/s");
	bars(out, report, "TCP to the guest", "down", median_of, "Mbit/s");
	bars(out, report, "Largest rate without loss, 64 bytes", "udp-64", median_of, "packets/s");
	cdf(out, report);
	reasons(out, report);
	table(out, report);
	checks(out, report);
	environment(out, report);
	fprintf(out, "</body></html>\n");
}
