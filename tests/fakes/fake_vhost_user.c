/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_vhost_user: see fake_vhost_user.h. */
#include "tests/fakes/fake_vhost_user.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "base/util.h"
#include "tests/fakes/fake_hv.h"

#define BIT(n)	  (UINT64_C(1) << (n))
#define NET_HDR	  12u
#define FRAME_MAX 2048u
#define MAP_MAGIC 0x766e6f74u

struct note { /* the only word of the back-end's own memory */
	uint32_t magic, count;
};

/* ---- memory ---- */

static void forget_memory(struct fake_vu *vu)
{
	for (size_t i = 0; vu->vm && i < vu->vm->blocks; i++)
		munmap(vu->vm->block[i].hva, vu->vm->block[i].size);
	if (vu->vm)
		vu->vm->blocks = 0;
	vu->slots = 0;
}

static bool map_region(struct fake_vu *vu, const struct vdev_vu_region *r, int fd)
{
	void *hva = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)r->offset);

	if (hva == MAP_FAILED)
		return false;
	vu->vm->block[vu->vm->blocks++] =
		(struct hv_ram_block){.gpa = r->gpa, .size = r->size, .hva = hva, .fd = -1};
	return true;
}

static bool take_memory(struct fake_vu *vu, const struct vdev_vu_memory *memory, const int *fds,
			unsigned count)
{
	forget_memory(vu);
	if (memory->count != count || count > ARRAY_SIZE(vu->vm->block))
		return false;
	vu->memory = *memory;
	for (unsigned i = 0; i < count; i++) {
		if (!map_region(vu, &memory->region[i], fds[i]))
			return false;
	}
	return true;
}

static bool take_slot(struct fake_vu *vu, const struct vdev_vu_slot *slot, const int *fds,
		      unsigned count)
{
	if (count != 1 || vu->slots == vu->slots_max || vu->slots == ARRAY_SIZE(vu->slot))
		return false;
	vu->slot[vu->slots++] = slot->region;
	return map_region(vu, &slot->region, fds[0]);
}

/* An address of the front-end's as one of the guest's. */
static uint64_t gpa_of(const struct fake_vu *vu, uint64_t address)
{
	for (unsigned i = 0; i < vu->memory.count; i++) {
		const struct vdev_vu_region *r = &vu->memory.region[i];

		if (address >= r->address && address - r->address < r->size)
			return r->gpa + (address - r->address);
	}
	for (unsigned i = 0; i < vu->slots; i++) {
		const struct vdev_vu_region *r = &vu->slot[i];

		if (address >= r->address && address - r->address < r->size)
			return r->gpa + (address - r->address);
	}
	return UINT64_MAX;
}

/* ---- rings ---- */

static void run_queue(struct fake_vu *vu, unsigned index)
{
	struct vdev_virtq *q = &vu->queue[index];

	q->vm = vu->vm;
	q->name = "fake vhost-user";
	q->index = index;
	q->packed = vu->set_features & BIT(VIRTIO_F_RING_PACKED);
	q->event_idx = vu->set_features & BIT(VIRTIO_RING_F_EVENT_IDX);
	q->indirect = vu->set_features & BIT(VIRTIO_RING_F_INDIRECT_DESC);
	q->desc = gpa_of(vu, vu->addr[index].desc);
	q->driver = gpa_of(vu, vu->addr[index].avail);
	q->device = gpa_of(vu, vu->addr[index].used);
	vu->running[index] = !vdev_virtq_start(q);
}

static void set_base(struct fake_vu *vu, unsigned index, uint32_t base)
{
	struct vdev_virtq *q = &vu->queue[index];

	vu->base[index] = base;
	q->is_broken = false;
	q->in_flight = 0;
	if (vu->set_features & BIT(VIRTIO_F_RING_PACKED)) {
		q->next_avail = q->next_used = base & 0x7fff;
		q->avail_wrap = q->used_wrap = base >> 15 & 1;
	} else {
		q->next_avail = q->next_used = (uint16_t)base;
	}
}

static uint32_t get_base(const struct fake_vu *vu, unsigned index)
{
	const struct vdev_virtq *q = &vu->queue[index];

	return !q->packed ? q->next_avail : q->next_avail | (uint32_t)q->avail_wrap << 15;
}

static void note(struct fake_vu *vu)
{
	pthread_mutex_lock(&vu->lock);
	vu->served++;
	pthread_mutex_unlock(&vu->lock);
	if (vu->note_map)
		((struct note *)vu->note_map)->count++;
}

static uint8_t do_blk(struct fake_vu *vu, const struct vdev_virtq_chain *c, uint32_t *written)
{
	struct virtio_blk_outhdr header;
	size_t size = sizeof(vu->disk), at, len;

	if (vdev_iov_read(c->out, c->outs, 0, &header, sizeof(header)) != sizeof(header))
		return VIRTIO_BLK_S_IOERR;
	at = (size_t)header.sector * 512;
	len = header.type == VIRTIO_BLK_T_IN ? c->in_len - 1 : c->out_len - sizeof(header);
	if (at > size || len > size - at)
		return VIRTIO_BLK_S_IOERR;
	if (header.type == VIRTIO_BLK_T_OUT)
		vdev_iov_read(c->out, c->outs, sizeof(header), vu->disk + at, len);
	else if (header.type == VIRTIO_BLK_T_IN)
		*written += (uint32_t)vdev_iov_write(c->in, c->ins, 0, vu->disk + at, len);
	return VIRTIO_BLK_S_OK;
}

static void serve_blk(struct fake_vu *vu, struct vdev_virtq *q)
{
	struct iovec iov[VDEV_VIRTQ_IOVS(16)];
	struct vdev_virtq_chain c;

	while (vdev_virtq_pop(q, iov, ARRAY_SIZE(iov), &c) > 0) {
		uint32_t written = 1;
		uint8_t status = do_blk(vu, &c, &written);

		vdev_iov_write(c.in, c.ins, c.in_len - 1, &status, 1);
		vdev_virtq_push(q, &c, written);
		note(vu);
	}
	vdev_virtq_notify(q);
}

/* One frame with its header into the next buffers of a receive queue; false: there are none. */
static bool give_frame(struct fake_vu *vu, unsigned index, const uint8_t *frame, size_t len)
{
	struct vdev_virtq *q = &vu->queue[index];
	const uint16_t one = 1;
	struct iovec iov[VDEV_VIRTQ_IOVS(256)];
	struct vdev_virtq_chain c;

	if (!vu->running[index] || !vu->enabled[index] ||
	    vdev_virtq_pop(q, iov, ARRAY_SIZE(iov), &c) <= 0)
		return false;
	size_t done = vdev_iov_write(c.in, c.ins, 0, frame, len);
	vdev_iov_write(c.in, c.ins, offsetof(struct virtio_net_hdr_v1, num_buffers), &one,
		       sizeof(one));
	vdev_virtq_push(q, &c, (uint32_t)done);
	vdev_virtq_notify(q);
	return true;
}

static void serve_tx(struct fake_vu *vu, unsigned index)
{
	struct vdev_virtq *q = &vu->queue[index];
	struct iovec iov[VDEV_VIRTQ_IOVS(256)];
	uint8_t frame[FRAME_MAX];
	struct vdev_virtq_chain c;

	while (vdev_virtq_pop(q, iov, ARRAY_SIZE(iov), &c) > 0) {
		size_t len = vdev_iov_read(c.out, c.outs, 0, frame, sizeof(frame));

		if (vu->kind == FAKE_VU_ECHO) {
			give_frame(vu, index - 1, frame, len);
		} else {
			ssize_t n = write(vu->tap, frame, len);
			(void)n; /* a tap that is down loses frames */
		}
		vdev_virtq_push(q, &c, 0);
		note(vu);
	}
	vdev_virtq_notify(q);
}

static void serve(struct fake_vu *vu, unsigned index)
{
	struct vdev_virtq *q = &vu->queue[index];

	if (!vu->running[index] || !vu->enabled[index] || atomic_load(&vu->hold))
		return;
	do {
		vdev_virtq_kick_off(q);
		if (vu->kind == FAKE_VU_BLK)
			serve_blk(vu, q);
		else if (index & 1)
			serve_tx(vu, index);
		/* a receive queue's chains wait for frames */
	} while (vdev_virtq_kick_on(q) && (vu->kind == FAKE_VU_BLK || index & 1));
}

static void read_tap(struct fake_vu *vu)
{
	uint8_t frame[FRAME_MAX];
	ssize_t n = read(vu->tap, frame, sizeof(frame));

	if (n > (ssize_t)NET_HDR)
		give_frame(vu, 0, frame, (size_t)n);
}

/* ---- messages ---- */

struct message {
	struct vdev_vu_header header;
	union {
		uint64_t number;
		struct vdev_vu_state state;
		struct vdev_vu_addr addr;
		struct vdev_vu_memory memory;
		struct vdev_vu_slot slot;
		struct vdev_vu_config config;
		struct vdev_vu_inflight inflight;
		uint8_t bytes[512];
	} u;
	int fds[VU_REGIONS];
	unsigned count;
};

static bool receive(struct fake_vu *vu, struct message *m)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(m->fds))];
	struct iovec iov = {&m->header, sizeof(m->header)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};

	m->count = 0;
	if (recvmsg(vu->sock, &msg, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof(m->header))
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		m->count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(m->fds, CMSG_DATA(c), m->count * sizeof(int));
	}
	return m->header.size <= sizeof(m->u) &&
	       (!m->header.size ||
		recv(vu->sock, &m->u, m->header.size, MSG_WAITALL) == (ssize_t)m->header.size);
}

static void reply(const struct fake_vu *vu, const struct message *m, const void *payload,
		  uint32_t size, int fd)
{
	struct vdev_vu_header header = {m->header.request, VU_VERSION | VU_REPLY, size};
	uint8_t bytes[sizeof(header) + 512] = {0};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {bytes, sizeof(header) + size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	bool at_fault = atomic_load(&vu->fault_at) == m->header.request;
	enum fake_vu_fault fault = at_fault ? vu->fault : 0;

	if (fault == FAKE_VU_MUTE)
		return;
	if (fault == FAKE_VU_WRONG)
		header.request++;
	if (fault == FAKE_VU_LONG)
		header.size = size + 1, iov.iov_len++;
	if (fault == FAKE_VU_SHORT)
		iov.iov_len = sizeof(header) / 2;
	if (fault == FAKE_VU_FDS)
		fd = vu->stop;
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), payload, size);
	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		*c = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	if (fault != FAKE_VU_HANGUP)
		sendmsg(vu->sock, &msg, MSG_NOSIGNAL);
	if (fault == FAKE_VU_HANGUP)
		shutdown(vu->sock, SHUT_RDWR);
}

static void reply_number(const struct fake_vu *vu, const struct message *m, uint64_t number)
{
	reply(vu, m, &number, sizeof(number), -1);
}

static void swap_fd(int *at, const struct message *m)
{
	io_close(at);
	*at = m->count ? m->fds[0] : -1;
}

static void take_kick(struct fake_vu *vu, const struct message *m)
{
	unsigned index = m->u.number & 0xff;

	swap_fd(&vu->kick[index], m);
	/* As libvhost-user: what is served must be told of, or the queue is dead. */
	if (atomic_load(&vu->queue[index].call_fd) >= 0)
		run_queue(vu, index);
}

static void take_call(struct fake_vu *vu, const struct message *m)
{
	int fd = atomic_load(&vu->queue[m->u.number & 0xff].call_fd);

	swap_fd(&fd, m);
	atomic_store(&vu->queue[m->u.number & 0xff].call_fd, fd);
}

static void give_config(struct fake_vu *vu, struct message *m)
{
	struct virtio_blk_config config = {.capacity = vu->sectors,
					   .seg_max = 14,
					   .blk_size = 512,
					   .wce = vu->wce,
					   .num_queues = (uint16_t)vu->queue_max};

	memcpy(m->u.config.bytes, &config, MIN(m->u.config.size, sizeof(config)));
	reply(vu, m, &m->u, m->header.size, -1);
}

static void map_notes(struct fake_vu *vu, int fd, size_t size)
{
	if (vu->note_map)
		munmap(vu->note_map, vu->note_size);
	vu->note_size = size;
	vu->note_map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (vu->note_map == MAP_FAILED)
		abort();
}

static void give_notes(struct fake_vu *vu, struct message *m)
{
	int fd = memfd_create("notes", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, 4096) < 0)
		abort();
	m->u.inflight.size = 4096;
	reply(vu, m, &m->u, sizeof(m->u.inflight), fd);
	io_close(&fd);
}

static void take_notes(struct fake_vu *vu, struct message *m)
{
	if (m->count != 1)
		abort();
	map_notes(vu, m->fds[0], m->u.inflight.size);
	io_close(&m->fds[0]);
	struct note *n = vu->note_map;
	vu->notes = n->magic == MAP_MAGIC ? n->count : 0;
	n->magic = MAP_MAGIC;
}

/* `lock` held. */
static void obey(struct fake_vu *vu, struct message *m)
{
	unsigned index = m->u.state.index % FAKE_VU_QUEUES;
	uint64_t failed = 0;
	bool ack = m->header.flags & VU_NEED_REPLY;

	switch (m->header.request) {
	case VU_GET_FEATURES:
		reply_number(vu, m, vu->features);
		return;
	case VU_SET_FEATURES:
		vu->set_features = m->u.number;
		break;
	case VU_GET_PROTOCOL_FEATURES:
		reply_number(vu, m, vu->protocol);
		return;
	case VU_SET_PROTOCOL_FEATURES:
		vu->set_protocol = m->u.number;
		break;
	case VU_GET_QUEUE_NUM:
		reply_number(vu, m, vu->queue_max);
		return;
	case VU_SET_MEM_TABLE:
		vu->regions = m->count;
		failed = !take_memory(vu, &m->u.memory, m->fds, m->count);
		for (unsigned i = 0; i < m->count; i++)
			io_close(&m->fds[i]);
		break;
	case VU_GET_MAX_MEM_SLOTS:
		reply_number(vu, m, vu->slots_max);
		return;
	case VU_ADD_MEM_REG:
		failed = !take_slot(vu, &m->u.slot, m->fds, m->count);
		for (unsigned i = 0; i < m->count; i++)
			io_close(&m->fds[i]);
		break;
	case VU_SET_VRING_NUM:
		vu->queue[index].size = (uint16_t)m->u.state.num;
		break;
	case VU_SET_VRING_BASE:
		set_base(vu, index, m->u.state.num);
		break;
	case VU_SET_VRING_ADDR:
		vu->addr[index] = m->u.addr;
		break;
	case VU_SET_VRING_KICK:
		take_kick(vu, m);
		break;
	case VU_SET_VRING_CALL:
		take_call(vu, m);
		break;
	case VU_SET_VRING_ENABLE:
		vu->enabled[index] = m->u.state.num;
		break;
	case VU_GET_VRING_BASE:
		vu->running[index] = false;
		m->u.state.num = get_base(vu, index);
		reply(vu, m, &m->u.state, sizeof(m->u.state), -1);
		return;
	case VU_GET_CONFIG:
		give_config(vu, m);
		return;
	case VU_SET_CONFIG:
		vu->wce = m->u.config.bytes[0];
		break;
	case VU_GET_INFLIGHT_FD:
		give_notes(vu, m);
		return;
	case VU_SET_INFLIGHT_FD:
		take_notes(vu, m);
		break;
	case VU_NET_SET_MTU:
		vu->mtu = m->u.number;
		break;
	default:
		break;
	}
	if (atomic_load(&vu->fault_at) == m->header.request && vu->fault == FAKE_VU_REFUSE)
		failed = 1;
	if (ack)
		reply_number(vu, m, failed);
}

static bool handle(struct fake_vu *vu)
{
	struct message m = {0};

	if (!receive(vu, &m))
		return false;
	pthread_mutex_lock(&vu->lock);
	fake_log_add(&vu->log, "%u", m.header.request);
	obey(vu, &m);
	pthread_mutex_unlock(&vu->lock);
	for (unsigned i = 0; i < FAKE_VU_QUEUES; i++)
		serve(vu, i);
	return true;
}

/* ---- the thread ---- */

static void hang_up(struct fake_vu *vu)
{
	io_close(&vu->sock);
	for (unsigned i = 0; i < FAKE_VU_QUEUES; i++) {
		int call = atomic_exchange(&vu->queue[i].call_fd, -1);

		io_close(&call);
		io_close(&vu->kick[i]);
		vu->running[i] = vu->enabled[i] = false;
	}
	forget_memory(vu);
	if (vu->note_map)
		munmap(vu->note_map, vu->note_size);
	vu->note_map = NULL;
}

static void meet(struct fake_vu *vu)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	memcpy(to.sun_path, vu->path, sizeof(to.sun_path));
	if (!vu->connects) {
		vu->sock = accept4(vu->listener, NULL, NULL, SOCK_CLOEXEC);
	} else {
		vu->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(vu->sock, (struct sockaddr *)&to, sizeof(to)) < 0) {
			io_close(&vu->sock);
			usleep(10000);
		}
	}
	pthread_mutex_lock(&vu->lock);
	vu->connections += vu->sock >= 0;
	pthread_mutex_unlock(&vu->lock);
}

void fake_vu_run(struct fake_vu *vu)
{
	for (;;) {
		struct pollfd ask[3 + FAKE_VU_QUEUES] = {
			{.fd = vu->stop, .events = POLLIN},
			{.fd = vu->sock >= 0 ? vu->sock : vu->listener, .events = POLLIN},
			{.fd = vu->tap, .events = POLLIN},
		};

		for (unsigned i = 0; i < FAKE_VU_QUEUES; i++)
			ask[3 + i] = (struct pollfd){.fd = vu->kick[i], .events = POLLIN};
		if (poll(ask, ARRAY_SIZE(ask), vu->sock < 0 && vu->connects ? 0 : -1) < 0)
			continue;
		if (ask[0].revents)
			break;
		if (vu->sock < 0)
			meet(vu);
		else if (ask[1].revents && !handle(vu))
			hang_up(vu);
		if (ask[2].revents)
			read_tap(vu);
		for (unsigned i = 0; i < FAKE_VU_QUEUES && vu->sock >= 0; i++) {
			eventfd_t count;

			if (ask[3 + i].revents && vu->kick[i] >= 0 &&
			    !eventfd_read(vu->kick[i], &count))
				serve(vu, i);
		}
	}
	hang_up(vu);
}

static void *run(void *opaque)
{
	fake_vu_run(opaque);
	return NULL;
}

void fake_vu_init(struct fake_vu *vu, enum fake_vu_kind kind, const char *path)
{
	*vu = (struct fake_vu){
		.kind = kind,
		.features = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
			    BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_F_RING_PACKED) |
			    BIT(VU_F_PROTOCOL_FEATURES),
		.protocol = BIT(VU_PROTOCOL_MQ) | BIT(VU_PROTOCOL_REPLY_ACK),
		.queue_max = 4,
		.sectors = FAKE_VU_SECTORS,
		.tap = -1,
		.wce = 1,
		.sock = -1,
		.listener = -1,
	};
	if (kind == FAKE_VU_BLK) {
		vu->features |= BIT(VIRTIO_BLK_F_MQ) | BIT(VIRTIO_BLK_F_FLUSH) |
				BIT(VIRTIO_BLK_F_CONFIG_WCE);
		vu->protocol |= BIT(VU_PROTOCOL_CONFIG) | BIT(VU_PROTOCOL_INFLIGHT);
	} else {
		vu->features |= BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_MQ);
		vu->protocol |= BIT(VU_PROTOCOL_MTU);
	}
	strncpy(vu->path, path, sizeof(vu->path) - 1);
	pthread_mutex_init(&vu->lock, NULL);
	vu->stop = eventfd(0, EFD_CLOEXEC);
	for (unsigned i = 0; i < FAKE_VU_QUEUES; i++) {
		vu->kick[i] = -1;
		atomic_store(&vu->queue[i].call_fd, -1);
	}
}

static void open_listener(struct fake_vu *vu)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	memcpy(at.sun_path, vu->path, sizeof(at.sun_path));
	unlink(vu->path);
	vu->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(vu->listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(vu->listener, 1) < 0)
		abort();
}

void fake_vu_start(struct fake_vu *vu)
{
	eventfd_t count;

	vu->vm = fake_hv_create();
	vu->vm->blocks = 0;
	if (!vu->connects)
		open_listener(vu);
	fcntl(vu->stop, F_SETFL, O_NONBLOCK);
	eventfd_read(vu->stop, &count);
	vu->threaded = true;
	if (pthread_create(&vu->thread, NULL, run, vu))
		abort();
}

void fake_vu_stop(struct fake_vu *vu)
{
	if (!vu->threaded)
		return;
	eventfd_write(vu->stop, 1);
	pthread_join(vu->thread, NULL);
	vu->threaded = false;
	io_close(&vu->listener);
	if (!vu->connects)
		unlink(vu->path);
	free(vu->vm);
	vu->vm = NULL;
}

bool fake_vu_heard(struct fake_vu *vu, const char *line)
{
	bool found = false;

	for (unsigned i = 0; i < 2000 && !found; i++) {
		pthread_mutex_lock(&vu->lock);
		found = strstr(vu->log.text, line);
		pthread_mutex_unlock(&vu->lock);
		usleep(found ? 0 : 1000);
	}
	return found;
}

bool fake_vu_served(struct fake_vu *vu, unsigned count)
{
	bool enough = false;

	for (unsigned i = 0; i < 2000 && !enough; i++) {
		pthread_mutex_lock(&vu->lock);
		enough = vu->served >= count;
		pthread_mutex_unlock(&vu->lock);
		usleep(enough ? 0 : 1000);
	}
	return enough;
}
