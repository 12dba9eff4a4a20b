/* SPDX-License-Identifier: BSD-3-Clause */
/* vhost_front: see vhost_front.h. */
#include "tests/fakes/vhost_front.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEADER	    12u /* virtio_net_hdr with num_buffers, virtio 1.2 section 5.1.6 */
#define RING_AREA   0x4000u
#define BUFFER_AREA (FRONT_SIZE * FRONT_BUFFER)
#define ANSWER_MS   30000

/* virtq descriptor flags, sections 2.7.5 and 2.8.1 */
#define F_WRITE 2u
#define F_AVAIL (1u << 7)
#define F_USED	(1u << 15)

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next; /* split */
};
_Static_assert(sizeof(struct desc) == 16, "virtio 1.2 section 2.7.5");

struct packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id, flags;
};
_Static_assert(sizeof(struct packed_desc) == 16, "virtio 1.2 section 2.8.13");

struct used_elem {
	uint32_t id, len;
};

struct message {
	uint32_t request, flags, size;
	uint8_t payload[256];
};

/* ---- messages ---- */

static int write_message(struct front *front, const struct message *m, const int *fds,
			 unsigned fd_count)
{
	union {
		char bytes[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)m, 12 + m->size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (front->options.hang_up && ++front->messages == front->options.hang_up)
		shutdown(front->socket, SHUT_RDWR);
	if (fd_count) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	return sendmsg(front->socket, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A signal, such as a fuzzer's alarm, is no reason to give up; the rest of the time is not worth
 * counting. */
static int await_answer(const struct front *front)
{
	struct pollfd ready = {.fd = front->socket, .events = POLLIN};
	int n;

	do
		n = poll(&ready, 1, ANSWER_MS);
	while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : -ETIMEDOUT;
}

static bool read_bytes(const struct front *front, void *out, size_t len)
{
	ssize_t n = 0;

	for (size_t done = 0; done < len; done += (size_t)n) {
		do
			n = recv(front->socket, (uint8_t *)out + done, len - done, 0);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return false;
	}
	return true;
}

static int read_answer(struct front *front, void *answer, uint32_t size)
{
	struct message m;
	int err = await_answer(front);

	if (err)
		return err;
	if (!read_bytes(front, &m, 12) || m.size != size || size > sizeof(m.payload) ||
	    !read_bytes(front, m.payload, size))
		return -EPROTO;
	memcpy(answer, m.payload, size);
	return 0;
}

int front_message(struct front *front, uint32_t request, const void *payload, uint32_t len,
		  const int *fds, unsigned fd_count, void *answer, uint32_t size)
{
	struct message m = {.request = request, .flags = 1, .size = len};

	if (len > sizeof(m.payload))
		return -EMSGSIZE;
	if (len)
		memcpy(m.payload, payload, len);
	int err = write_message(front, &m, fds, fd_count);
	return err || !answer ? err : read_answer(front, answer, size);
}

static int tell(struct front *front, uint32_t request, uint64_t value)
{
	return front_message(front, request, &value, sizeof(value), NULL, 0, NULL, 0);
}

static int ask(struct front *front, uint32_t request, uint64_t *value)
{
	return front_message(front, request, NULL, 0, NULL, 0, value, sizeof(*value));
}

static int tell_ring(struct front *front, uint32_t request, unsigned ring, uint32_t value)
{
	const uint32_t state[2] = {ring, value};

	return front_message(front, request, state, sizeof(state), NULL, 0, NULL, 0);
}

/* ---- opening ---- */

static void lay_out(struct front *front)
{
	uint8_t *at = front->memory;

	for (unsigned i = 0; i < FRONT_RINGS; i++) {
		struct front_ring *r = &front->rings[i];

		r->desc = at;
		r->avail = at + 0x1000;
		r->used = at + 0x2000;
		at += RING_AREA;
	}
	for (unsigned i = 0; i < FRONT_RINGS; i++, at += BUFFER_AREA)
		front->rings[i].buffers = at;
}
_Static_assert(FRONT_RINGS *(RING_AREA + BUFFER_AREA) <= FRONT_MEMORY, "it fits");

static int open_memory(struct front *front)
{
	front->memfd = memfd_create("front", MFD_CLOEXEC);
	if (front->memfd < 0 || ftruncate(front->memfd, FRONT_MEMORY) < 0)
		return -errno;
	front->memory =
		mmap(NULL, FRONT_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, front->memfd, 0);
	if (front->memory == MAP_FAILED)
		return -errno;
	lay_out(front);
	for (unsigned i = 0; i < front->ring_count; i++) {
		front->rings[i].kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		front->rings[i].call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	front_reset_rings(front);
	return 0;
}

static int open_front(struct front *front, int socket, const struct front_options *options)
{
	memset(front, 0, sizeof(*front));
	front->options = *options;
	front->options.queues = options->queues ? options->queues : 1;
	front->options.rx_buffer = options->rx_buffer ? options->rx_buffer : FRONT_BUFFER;
	front->ring_count = 2 * front->options.queues;
	front->socket = socket;
	front->memfd = -1;
	front->memory = MAP_FAILED;
	for (unsigned i = 0; i < FRONT_RINGS; i++)
		front->rings[i].kick = front->rings[i].call = -1;
	int err = open_memory(front);
	if (err)
		front_close(front);
	return err;
}

static int unix_socket(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	strncpy(address->sun_path, path, sizeof(address->sun_path) - 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int front_connect(struct front *front, const char *path, const struct front_options *options)
{
	struct sockaddr_un address;
	int fd = unix_socket(path, &address);

	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return open_front(front, fd, options);
}

int front_listen(const char *path)
{
	struct sockaddr_un address;
	int fd = unix_socket(path, &address);

	if (fd < 0)
		return fd;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int front_accept(struct front *front, int listener, const struct front_options *options)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	return fd < 0 ? -errno : open_front(front, fd, options);
}

void front_close(struct front *front)
{
	close(front->socket);
	for (unsigned i = 0; i < FRONT_RINGS; i++) {
		if (front->rings[i].kick >= 0)
			close(front->rings[i].kick);
		if (front->rings[i].call >= 0)
			close(front->rings[i].call);
	}
	if (front->memory != MAP_FAILED)
		munmap(front->memory, FRONT_MEMORY);
	if (front->memfd >= 0)
		close(front->memfd);
}

/* ---- a driver's start and stop ---- */

static int tell_memory(struct front *front)
{
	const struct {
		uint32_t count, padding;
		uint64_t gpa, size, user, offset;
	} table = {1, 0, FRONT_GPA, FRONT_MEMORY, (uintptr_t)front->memory, 0};
	return front_message(front, FRONT_SET_MEM_TABLE, &table, sizeof(table), &front->memfd, 1,
			     NULL, 0);
}

static int start_ring(struct front *front, unsigned ring)
{
	const struct front_ring *r = &front->rings[ring];
	const struct {
		uint32_t index, flags;
		uint64_t desc, used, avail, log;
	} addr = {ring, 0, (uintptr_t)r->desc, (uintptr_t)r->used, (uintptr_t)r->avail, 0};
	uint64_t number = ring;
	uint32_t base = r->last_used; /* what the device is to look at next */
	int err = tell_ring(front, FRONT_SET_VRING_NUM, ring, FRONT_SIZE);

	if (front->options.packed)
		base |= (uint32_t)r->used_wrap << 15;
	if (!err)
		err = tell_ring(front, FRONT_SET_VRING_BASE, ring, base);
	if (!err)
		err = front_message(front, FRONT_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0, NULL,
				    0);
	if (!err)
		err = front_message(front, FRONT_SET_VRING_KICK, &number, sizeof(number), &r->kick,
				    1, NULL, 0);
	if (!err)
		err = front_message(front, FRONT_SET_VRING_CALL, &number, sizeof(number), &r->call,
				    1, NULL, 0);
	return err;
}

int front_enable(struct front *front, unsigned ring, bool on)
{
	return tell_ring(front, FRONT_SET_VRING_ENABLE, ring, on);
}

static int negotiate(struct front *front)
{
	uint64_t wanted = front->options.wanted | UINT64_C(1) << FRONT_F_VERSION_1 |
			  UINT64_C(1) << FRONT_F_PROTOCOL;
	uint64_t offered = 0;
	int err = ask(front, FRONT_GET_FEATURES, &offered);

	if (front->options.packed)
		wanted |= UINT64_C(1) << FRONT_F_RING_PACKED;
	if (front->options.mergeable)
		wanted |= UINT64_C(1) << FRONT_F_MRG_RXBUF;
	if (front->options.queues > 1)
		wanted |= UINT64_C(1) << FRONT_F_MQ;
	front->features = offered & wanted & ~front->options.not_wanted;
	if (!err)
		err = ask(front, FRONT_GET_PROTOCOL_FEATURES, &front->protocol);
	front->protocol &= 1 | front->options.protocol; /* MQ */
	if (!err)
		err = tell(front, FRONT_SET_PROTOCOL_FEATURES, front->protocol);
	if (!err)
		err = front_message(front, FRONT_SET_OWNER, NULL, 0, NULL, 0, NULL, 0);
	return err ? err : tell(front, FRONT_SET_FEATURES, front->features);
}

int front_start(struct front *front)
{
	int err = negotiate(front);

	if (!err)
		err = tell_memory(front);
	for (unsigned i = 0; i < front->ring_count && !err; i++) {
		if (i % 2 == 0)
			front_post(front, i / 2);
		err = start_ring(front, i);
	}
	for (unsigned i = 0; i < front->ring_count && !err; i++)
		err = front_enable(front, i, true);
	/* An answer says that all before it has been read. */
	uint64_t sink;
	return err ? err : ask(front, FRONT_GET_QUEUE_NUM, &sink);
}

int front_stop(struct front *front)
{
	int err = 0;

	for (uint32_t i = 0; i < front->ring_count && !err; i++) {
		const uint32_t state[2] = {i, 0};
		uint32_t base[2];

		err = front_message(front, FRONT_GET_VRING_BASE, state, sizeof(state), NULL, 0,
				    base, sizeof(base));
	}
	return err;
}

void front_reset_rings(struct front *front)
{
	memset(front->memory, 0, FRONT_RINGS * RING_AREA);
	for (unsigned i = 0; i < front->ring_count; i++) {
		struct front_ring *r = &front->rings[i];

		r->next = r->last_used = r->pending = 0;
		r->wrap = r->used_wrap = true;
	}
}

/* ---- rings ---- */

static uint64_t gpa_of(const struct front *front, const uint8_t *at)
{
	return FRONT_GPA + (uint64_t)(at - front->memory);
}

static void add_split(struct front *front, struct front_ring *r, uint32_t len, uint16_t flags)
{
	uint16_t slot = r->next % FRONT_SIZE, *avail = (uint16_t *)(void *)r->avail;
	struct desc *desc = (struct desc *)(void *)r->desc;

	desc[slot] = (struct desc){gpa_of(front, r->buffers + (size_t)slot * FRONT_BUFFER), len,
				   flags, 0};
	avail[2 + slot] = slot;
	r->next++;
	__atomic_store_n(&avail[1], r->next, __ATOMIC_RELEASE); /* pairs with the device's read */
}

static void add_packed(struct front *front, struct front_ring *r, uint32_t len, uint16_t flags)
{
	struct packed_desc *desc = &((struct packed_desc *)(void *)r->desc)[r->next];

	desc->addr = gpa_of(front, r->buffers + (size_t)r->next * FRONT_BUFFER);
	desc->len = len;
	desc->id = r->next;
	flags = (uint16_t)(flags | (r->wrap ? F_AVAIL : F_USED));
	__atomic_store_n(&desc->flags, flags, __ATOMIC_RELEASE); /* pairs with the device's read */
	if (++r->next == FRONT_SIZE) {
		r->next = 0;
		r->wrap = !r->wrap;
	}
}

static void add(struct front *front, struct front_ring *r, uint32_t len, uint16_t flags)
{
	if (front->options.packed)
		add_packed(front, r, len, flags);
	else
		add_split(front, r, len, flags);
	r->pending++;
}

static uint8_t *buffer_to_add(struct front_ring *r)
{
	return r->buffers + (size_t)(r->next % FRONT_SIZE) * FRONT_BUFFER;
}

/* The next buffer that came back, and how much of it is filled; NULL: none. Buffers come back in
 * the order in which they were added, as rte_vhost does it. */
static uint8_t *take(struct front *front, struct front_ring *r, uint32_t *len)
{
	if (front->options.packed) {
		struct packed_desc *desc = &((struct packed_desc *)(void *)r->desc)[r->last_used];
		uint16_t flags = __atomic_load_n(&desc->flags, __ATOMIC_ACQUIRE);

		if (!!(flags & F_AVAIL) != r->used_wrap || !!(flags & F_USED) != r->used_wrap)
			return NULL;
		uint8_t *buffer = r->buffers + (size_t)(desc->id % FRONT_SIZE) * FRONT_BUFFER;
		*len = desc->len;
		if (++r->last_used == FRONT_SIZE) {
			r->last_used = 0;
			r->used_wrap = !r->used_wrap;
		}
		r->pending--;
		return buffer;
	}
	const uint16_t *used = (const uint16_t *)(const void *)r->used;
	if (__atomic_load_n(&used[1], __ATOMIC_ACQUIRE) == r->last_used)
		return NULL;
	const struct used_elem *elem =
		(const struct used_elem *)(const void *)(r->used + 4) + r->last_used % FRONT_SIZE;
	r->last_used++;
	r->pending--;
	*len = elem->len;
	return r->buffers + (size_t)(elem->id % FRONT_SIZE) * FRONT_BUFFER;
}

/* ---- frames ---- */

unsigned front_sent(struct front *front, unsigned queue)
{
	struct front_ring *r = &front->rings[2 * queue + 1];
	unsigned count = 0;
	uint32_t len;

	while (r->pending && take(front, r, &len))
		count++;
	return count;
}

int front_send(struct front *front, unsigned queue, const void *frame, size_t len)
{
	struct front_ring *r = &front->rings[2 * queue + 1];
	uint8_t *buffer;

	if (r->pending == FRONT_SIZE)
		return -ENOSPC;
	buffer = buffer_to_add(r);
	memset(buffer, 0, HEADER);
	memcpy(buffer + HEADER, frame, len);
	add(front, r, (uint32_t)(HEADER + len), 0);
	return 0;
}

int front_send_large(struct front *front, unsigned queue, const struct front_header *header,
		     const void *frame, size_t len)
{
	struct front_ring *r = &front->rings[2 * queue + 1];

	if (r->pending)
		return -EBUSY;
	/* All buffers of a ring lie one behind the other: from the first that there is room. */
	while (r->next % FRONT_SIZE && HEADER + len > FRONT_BUFFER) {
		memset(buffer_to_add(r), 0, HEADER + 60); /* from nobody: the switch drops it */
		add(front, r, HEADER + 60, 0);
	}
	uint8_t *buffer = buffer_to_add(r);
	memcpy(buffer, header, sizeof(*header));
	memcpy(buffer + HEADER, frame, len);
	add(front, r, (uint32_t)(HEADER + len), 0);
	return 0;
}
_Static_assert(sizeof(struct front_header) == HEADER, "virtio 1.2 section 5.1.6");
_Static_assert(FRONT_LARGE + HEADER <= BUFFER_AREA, "it fits");

void front_kick(struct front *front, unsigned queue)
{
	const uint64_t one = 1;

	if (write(front->rings[2 * queue + 1].kick, &one, sizeof(one)) < 0)
		return; /* full: it has been kicked */
}

bool front_wants_kick(struct front *front, unsigned queue)
{
	const uint16_t *used = (const uint16_t *)(const void *)front->rings[2 * queue + 1].used;

	/* virtio 1.2 section 2.7.13.4.1: what was added is there before this is read. A fence, in
	 * a form that the thread sanitizer knows. */
	__atomic_fetch_add(&front->barrier, 1, __ATOMIC_SEQ_CST);
	return !(__atomic_load_n(&used[0], __ATOMIC_ACQUIRE) & 1);
}

void front_post(struct front *front, unsigned queue)
{
	struct front_ring *r = &front->rings[2 * queue];

	while (r->pending < FRONT_SIZE)
		add(front, r, front->options.rx_buffer, F_WRITE);
}

size_t front_receive(struct front *front, unsigned queue, void *frame, size_t size)
{
	struct front_ring *r = &front->rings[2 * queue];
	uint32_t len = 0;
	uint8_t *buffer = r->pending ? take(front, r, &len) : NULL;
	size_t got = 0;
	uint16_t parts;

	if (!buffer || len < HEADER)
		return 0;
	memcpy(&front->last, buffer, sizeof(front->last));
	memcpy(&parts, buffer + 10, sizeof(parts));
	len -= HEADER;
	buffer += HEADER;
	for (;;) {
		if (got + len <= size)
			memcpy((uint8_t *)frame + got, buffer, len);
		got += len;
		if (!front->options.mergeable || --parts == 0)
			return got;
		buffer = take(front, r, &len); /* the device has shown them all at once */
		if (!buffer)
			return got;
	}
}
