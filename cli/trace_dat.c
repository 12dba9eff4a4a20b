/* SPDX-License-Identifier: BSD-3-Clause */
/* trace_dat: see trace_dat.h. */
#include "cli/trace_dat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cli/trace_slice.h"

#define PAGE	  4096u
#define PAGE_HEAD 16u
#define EVENT_ID  1

/* The kernel's ring buffer (include/linux/ring_buffer.h): an event begins with 5 bits of length in
 * words or of type, and 27 bits of nanoseconds since the event before it. */
#define TYPE_BITS   5
#define TIME_BITS   27
#define TIME_EXTEND 30u

struct page {
	uint64_t time;	 /* of its first event */
	uint64_t commit; /* bytes of data that hold events */
	uint8_t data[PAGE - PAGE_HEAD];
};

/* As the description below tells it. */
struct event {
	uint16_t type;
	uint8_t flags, preempt_count;
	int32_t pid;
	uint64_t addr, ns;
	char reason[24], region[32];
} __attribute__((packed));

_Static_assert(sizeof(struct page) == PAGE, "what header_page says");
_Static_assert(sizeof(struct event) == 80, "what the event's format says");
_Static_assert(sizeof(struct event) / 4 <= 28, "a length that fits the event's first word");

struct trace_stream {
	FILE *pages;
	struct page page; /* the one being filled */
	uint64_t last;	  /* time of the last event */
	uint64_t size;	  /* of the pages written */
	int tid;
};

static const char header_page[] = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
				  "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
				  "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
				  "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;\n";

static const char header_event[] = "# compressed entry header\n"
				   "\ttype_len    :    5 bits\n"
				   "\ttime_delta  :   27 bits\n"
				   "\tarray       :   32 bits\n\n"
				   "\tpadding     : type == 29\n"
				   "\ttime_extend : type == 30\n"
				   "\ttime_stamp : type == 31\n"
				   "\tdata max type_len  == 28\n";

static const char event_format[] =
	"name: exit\nID: 1\nformat:\n"
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
	"\tfield:u64 addr;\toffset:8;\tsize:8;\tsigned:0;\n"
	"\tfield:u64 ns;\toffset:16;\tsize:8;\tsigned:0;\n"
	"\tfield:char reason[24];\toffset:24;\tsize:24;\tsigned:0;\n"
	"\tfield:char region[32];\toffset:48;\tsize:32;\tsigned:0;\n\n"
	"print fmt: \"%s %s addr=0x%llx ns=%llu\", REC->reason, REC->region, REC->addr, REC->ns\n";

/* ---- the streams ---- */

static void flush(struct trace_dat *t, struct trace_stream *s)
{
	if (!s->page.commit)
		return;
	if (fwrite(&s->page, sizeof(s->page), 1, s->pages) != 1)
		t->err = -EIO;
	s->size += sizeof(s->page);
	memset(&s->page, 0, sizeof(s->page));
}

static void put_word(struct page *page, uint32_t word)
{
	memcpy(page->data + page->commit, &word, sizeof(word));
	page->commit += sizeof(word);
}

static void put_event(struct trace_dat *t, struct trace_stream *s, uint64_t time,
		      const struct event *event)
{
	if (s->page.commit + 3 * sizeof(uint32_t) + sizeof(*event) > sizeof(s->page.data))
		flush(t, s);
	if (!s->page.commit)
		s->page.time = s->last = time;
	uint64_t delta = time > s->last ? time - s->last : 0;

	if (delta >> TIME_BITS) {
		put_word(&s->page, TIME_EXTEND | (uint32_t)(delta << TYPE_BITS));
		put_word(&s->page, (uint32_t)(delta >> TIME_BITS));
		delta = 0;
	}
	put_word(&s->page, sizeof(*event) / 4 | (uint32_t)(delta << TYPE_BITS));
	memcpy(s->page.data + s->page.commit, event, sizeof(*event));
	s->page.commit += sizeof(*event);
	s->last = MAX(time, s->last);
}

void trace_dat_add(struct trace_dat *t, const json_t *events)
{
	for (size_t i = 0; i < json_array_size(events); i++) {
		struct event event = {.type = EVENT_ID};
		struct trace_slice slice;

		if (trace_slice_read(json_array_get(events, i), t->regions, &slice) ||
		    slice.cpu >= t->cpus)
			continue;
		event.pid = t->stream[slice.cpu].tid;
		event.addr = slice.access ? slice.addr : 0;
		event.ns = slice.ns;
		snprintf(event.reason, sizeof(event.reason), "%s", slice.word);
		snprintf(event.region, sizeof(event.region), "%.31s", slice.region);
		put_event(t, &t->stream[slice.cpu], slice.start, &event);
	}
}

/* ---- the file ---- */

static void put_u16(FILE *out, uint16_t value)
{
	fwrite(&value, sizeof(value), 1, out);
}

static void put_u32(FILE *out, uint32_t value)
{
	fwrite(&value, sizeof(value), 1, out);
}

static void put_u64(FILE *out, uint64_t value)
{
	fwrite(&value, sizeof(value), 1, out);
}

/* With the zero that ends it. */
static void put_text(FILE *out, const char *text)
{
	fwrite(text, strlen(text) + 1, 1, out);
}

/* Behind its size in 8 bytes, without a zero. */
static void put_blob(FILE *out, const char *text)
{
	put_u64(out, strlen(text));
	fwrite(text, strlen(text), 1, out);
}

/* "TID NAME/cpuN" per line: the kernel's saved_cmdlines. */
static void put_threads(const struct trace_dat *t)
{
	char *text = NULL;
	size_t size = 0;
	FILE *lines = open_memstream(&text, &size);

	for (unsigned i = 0; lines && i < t->cpus; i++)
		fprintf(lines, "%d %s/cpu%u\n", t->stream[i].tid, t->name, i);
	if (lines)
		fclose(lines);
	put_blob(t->out, text ? text : "");
	free(text);
}

static void put_head(const struct trace_dat *t)
{
	static const char magic[] = "\x17\x08\x44tracing";
	static const char clocks[] = "local global [mono] boot"; /* as trace_clock: whose time */
	FILE *out = t->out;

	fwrite(magic, sizeof(magic) - 1, 1, out);
	put_text(out, "6");
	fputc(0, out);		      /* little-endian */
	fputc(sizeof(uint64_t), out); /* a long's size */
	put_u32(out, PAGE);
	put_text(out, "header_page");
	put_blob(out, header_page);
	put_text(out, "header_event");
	put_blob(out, header_event);
	put_u32(out, 0); /* events of ftrace's own */
	put_u32(out, 1); /* systems */
	put_text(out, "sluice");
	put_u32(out, 1); /* its events */
	put_blob(out, event_format);
	put_u32(out, 0); /* kallsyms */
	put_u32(out, 0); /* trace_printk formats */
	put_threads(t);
	put_u32(out, t->cpus);
	fwrite("options  ", 10, 1, out);
	put_u16(out, 4); /* TRACECLOCK */
	put_u32(out, sizeof(clocks));
	put_text(out, clocks);
	put_u16(out, 0);
	fwrite("flyrecord", 10, 1, out);
}

/* Bytes of the head, by writing it to nowhere: what follows it must lie at a multiple of a page. */
static uint64_t head_size(struct trace_dat *t)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = t->out;

	t->out = open_memstream(&text, &size);
	if (t->out) {
		put_head(t);
		fclose(t->out);
	} else {
		t->err = -ENOMEM;
	}
	t->out = out;
	free(text);
	return size;
}

static void copy_stream(struct trace_dat *t, struct trace_stream *s)
{
	struct page page;

	rewind(s->pages);
	while (fread(&page, sizeof(page), 1, s->pages) == 1)
		fwrite(&page, sizeof(page), 1, t->out);
	if (ferror(s->pages))
		t->err = -EIO;
}

static void write_all(struct trace_dat *t)
{
	uint64_t end = head_size(t) + 16 * (uint64_t)t->cpus, at = ALIGN_UP(end, PAGE);

	put_head(t);
	for (unsigned i = 0; i < t->cpus; at += t->stream[i++].size) {
		put_u64(t->out, at);
		put_u64(t->out, t->stream[i].size);
	}
	for (; end % PAGE; end++)
		fputc(0, t->out);
	for (unsigned i = 0; i < t->cpus; i++)
		copy_stream(t, &t->stream[i]);
}

int trace_dat_begin(struct trace_dat *t, const char *name, const json_t *cpus)
{
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->cpus = (unsigned)json_array_size(cpus);
	t->stream = calloc(t->cpus, sizeof(*t->stream));
	if (!t->stream)
		return -ENOMEM;
	for (unsigned i = 0; i < t->cpus && !t->err; i++) {
		const json_t *thread = json_object_get(json_array_get(cpus, i), "thread");

		t->stream[i].tid = (int)json_integer_value(thread);
		t->stream[i].pages = tmpfile();
		if (!t->stream[i].pages)
			t->err = -errno;
	}
	return t->err;
}

int trace_dat_end(struct trace_dat *t)
{
	for (unsigned i = 0; i < t->cpus && !t->err; i++)
		flush(t, &t->stream[i]);
	if (!t->err)
		write_all(t);
	for (unsigned i = 0; i < t->cpus; i++)
		if (t->stream[i].pages)
			fclose(t->stream[i].pages);
	free(t->stream);
	t->stream = NULL;
	return t->err;
}
