/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost_user: see vhost_user.h.
 *
 * `proceed` compares what there is (a connection, queues set up on it) with what is wanted, and
 * does the next step; a failure closes the connection and sets a timer that calls it again.
 * Everything below runs on the connection's thread, but for what the header says of the device
 * lock: those functions cut a conversation short and hand their work over.
 */
#include "vdev/vhost_user.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "vdev/vhost_user_link.h"

#define MS	    UINT64_C(1000000) /* nanoseconds */
#define TALK_MS	    5000u	      /* a whole conversation */
#define OPEN_MS	    10000u	      /* for the first connection to come about */
#define BACKOFF_MIN 10u
#define BACKOFF_MAX 1000u
#define F_IN_ORDER  35u

bool vdev_vu_agreed(const struct vdev_vhost_user *vu, unsigned feature)
{
	return vu->protocol & (UINT64_C(1) << feature);
}

struct vdev_vu_wire vdev_vu_wire_of(const struct vdev_vhost_user *vu)
{
	return (struct vdev_vu_wire){
		.sock = vu->sock, .cut = vu->cut, .deadline = deadline_now() + TALK_MS * MS};
}

static const char *words(int err)
{
	switch (err) {
	case -EPROTO:
		return "what it says is no answer to what it was asked";
	case -ETIMEDOUT:
		return "it does not answer";
	case -EAGAIN:
		return "nobody has called there yet, or too many wait there";
	case -EREMOTEIO:
		return "it refused what it was told";
	default:
		return strerror(-err);
	}
}

/* ---- the connection ---- */

static void changed(const struct vdev_vhost_user *vu)
{
	if (vu->config.changed)
		vu->config.changed(vu->config.opaque);
}

static void tell_event(const struct vdev_vhost_user *vu, const char *what, const char *text)
{
	hv_vm_event(vu->config.vm,
		    &(struct hv_event){.what = what, .device = vu->name, .text = text});
}

static void doubt(struct vdev_vhost_user *vu)
{
	log_error(vu->name,
		  "stopped: its back-end went with requests under way, and nothing tells which of "
		  "them are done; sluice vm reset %s starts the guest again",
		  hv_vm_name(vu->config.vm));
	tell_event(vu, "io-error", "its back-end went with requests under way");
	vdev_virtio_needs_reset(vu->dev);
}

static void hang_up(struct vdev_vhost_user *vu)
{
	loop_remove(vu->source);
	vu->source = NULL;
	io_close(&vu->sock);
	atomic_store(&vu->up, false);
}

/* The connection is of no use any more, for reason `err`. */
static void drop(struct vdev_vhost_user *vu, int err)
{
	bool served = vu->serving, was_up = atomic_load(&vu->up);

	hang_up(vu);
	vu->serving = false;
	if (served) {
		vdev_vu_guess_positions(vu);
		log_warn(vu->name, "its back-end at %s is gone: %s; requests wait until it is back",
			 vu->path, words(err));
		tell_event(vu, "backend-lost", NULL);
		vu->missed = true;
		if (vu->unsure)
			doubt(vu);
	} else if (err != -ECANCELED && vu->known && !vu->complained && was_up) {
		log_warn(vu->name, "its back-end at %s is of no use: %s", vu->path, words(err));
		vu->complained = true;
	}
	if (was_up)
		changed(vu);
}

/* They said something that nobody asked for, or hung up. */
static void heard(void *opaque, uint32_t events);
static void proceed(struct vdev_vhost_user *vu);

static void try_again(void *opaque, uint32_t events)
{
	struct vdev_vhost_user *vu = opaque;

	(void)events;
	vu->timer = NULL; /* it removed itself */
	proceed(vu);
}

static void schedule(struct vdev_vhost_user *vu, unsigned ms)
{
	/* Without memory for a timer it stays as it is, until the next start or stop. */
	if (!vu->timer &&
	    loop_timer(vdev_iothread_loop(vu->thread), ms, try_again, vu, &vu->timer) < 0)
		vu->timer = NULL;
}

static int dial(struct vdev_vhost_user *vu)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (vu->config.dial.fn) {
		vu->sock = vu->config.dial.fn(vu->config.dial.opaque, vu->path);
		return vu->sock < 0 ? vu->sock : 0;
	}
	if (strlen(vu->path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	strcpy(to.sun_path, vu->path);
	vu->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (vu->sock < 0)
		return -errno;
	if (connect(vu->sock, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return 0;
	int err = -errno;
	io_close(&vu->sock);
	return err;
}

static int answer(struct vdev_vhost_user *vu)
{
	vu->sock = accept4(vu->config.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return vu->sock < 0 ? -errno : 0;
}

/* ---- the first words ---- */

static int read_config(struct vdev_vhost_user *vu, const struct vdev_vu_wire *wire)
{
	size_t size = vu->config.config_size, got = 0;
	struct vdev_vu_config msg = {.size = (uint32_t)size};
	int err = 0;

	if (!size)
		return 0;
	if (!vdev_vu_agreed(vu, VU_PROTOCOL_CONFIG))
		return -EOPNOTSUPP;
	err = vdev_vu_send(wire, VU_GET_CONFIG, 0, &msg,
			   offsetof(struct vdev_vu_config, bytes) + size, NULL, 0);
	if (!err)
		err = vdev_vu_receive(wire, VU_GET_CONFIG, &msg, 0, sizeof(msg), &got, NULL);
	if (!err && got != offsetof(struct vdev_vu_config, bytes) + size)
		err = -EPROTO;
	if (err)
		return err;
	pthread_mutex_lock(&vu->lock);
	memcpy(vu->bytes, msg.bytes, size);
	pthread_mutex_unlock(&vu->lock);
	return 0;
}

static int send_written(struct vdev_vhost_user *vu, const struct vdev_vu_wire *wire)
{
	struct vdev_vu_config msg = {
		.offset = (uint32_t)vu->written.offset, .size = 1, .bytes = {vu->written.byte}};

	if (!vu->written.set || !vdev_vu_agreed(vu, VU_PROTOCOL_CONFIG))
		return 0;
	pthread_mutex_lock(&vu->lock);
	vu->bytes[vu->written.offset] = vu->written.byte;
	pthread_mutex_unlock(&vu->lock);
	return vdev_vu_confirmed(wire, VU_SET_CONFIG, vdev_vu_agreed(vu, VU_PROTOCOL_REPLY_ACK),
				 &msg, offsetof(struct vdev_vu_config, bytes) + 1, NULL, 0);
}

static int agree(struct vdev_vhost_user *vu, const struct vdev_vu_wire *wire)
{
	uint64_t theirs = 0, queues = 0;
	int err = vdev_vu_ask(wire, VU_GET_PROTOCOL_FEATURES, &theirs);

	vu->protocol = theirs & vu->config.protocol;
	if (!err)
		err = vdev_vu_tell(wire, VU_SET_PROTOCOL_FEATURES, vu->protocol);
	if (!err && vdev_vu_agreed(vu, VU_PROTOCOL_MQ))
		err = vdev_vu_ask(wire, VU_GET_QUEUE_NUM, &queues);
	if (!err && vdev_vu_agreed(vu, VU_PROTOCOL_MQ)) {
		err = queues ? 0 : -EPROTO;
		vu->queue_max = (unsigned)MIN(queues, VDEV_VIRTIO_QUEUES);
	}
	return err;
}

static int introduce(struct vdev_vhost_user *vu)
{
	struct vdev_vu_wire wire = vdev_vu_wire_of(vu);

	vu->protocol = 0;
	vu->queue_max = 2; /* what a back-end without MQ has at most: one pair */
	int err = vdev_vu_ask(&wire, VU_GET_FEATURES, &vu->offered);
	if (!err && !(vu->offered & VDEV_FEATURE(VIRTIO_F_VERSION_1)))
		err = -EPROTONOSUPPORT;
	if (!err && (vu->offered & VDEV_FEATURE(VU_F_PROTOCOL_FEATURES)))
		err = agree(vu, &wire);
	if (!err)
		err = vdev_vu_send(&wire, VU_SET_OWNER, 0, NULL, 0, NULL, 0);
	if (!err)
		err = read_config(vu, &wire);
	return err ? err : send_written(vu, &wire);
}

static int reach(struct vdev_vhost_user *vu)
{
	int err = vu->config.listener >= 0 ? answer(vu) : dial(vu);

	if (!err)
		err = introduce(vu);
	if (!err)
		err = loop_add(vdev_iothread_loop(vu->thread), vu->sock, EPOLLIN, heard, vu,
			       &vu->source);
	if (err)
		return err;
	if (!vu->known) {
		vu->first_offered = vu->offered;
		vu->first_queues = vu->queue_max;
	}
	vu->known = true;
	atomic_store(&vu->up, true);
	atomic_fetch_add(&vu->connections, 1);
	changed(vu);
	return 0;
}

/* ---- the next step ---- */

static int take_up(struct vdev_vhost_user *vu)
{
	int err = vdev_vu_hand_over(vu);

	if (err)
		return err;
	if (vu->missed) {
		log_warn(vu->name, "its back-end at %s is back", vu->path);
		tell_event(vu, "backend-back", NULL);
	}
	vu->missed = vu->complained = false;
	return 0;
}

static void proceed(struct vdev_vhost_user *vu)
{
	int err = vu->sock < 0 ? reach(vu) : 0;

	if (!err && vu->dev && !vu->serving && !vu->unsure)
		err = take_up(vu);
	if (!err) {
		vu->backoff = BACKOFF_MIN;
		return;
	}
	drop(vu, err);
	if (err == -ECANCELED) {
		schedule(vu, BACKOFF_MIN);
	} else if (vu->config.listener < 0) { /* else they come to us */
		schedule(vu, vu->backoff);
		vu->backoff = MIN(2 * vu->backoff, BACKOFF_MAX);
	}
}

static void heard(void *opaque, uint32_t events)
{
	struct vdev_vhost_user *vu = opaque;

	drop(vu, events & EPOLLHUP ? -ECONNRESET : -EPROTO);
	vu->backoff = BACKOFF_MIN;
	schedule(vu, BACKOFF_MIN);
}

static void arrived(void *opaque, uint32_t events)
{
	struct vdev_vhost_user *vu = opaque;

	(void)events;
	if (vu->sock < 0) {
		proceed(vu);
		return;
	}
	int second = accept4(vu->config.listener, NULL, NULL, SOCK_CLOEXEC);
	io_close(&second); /* there is one */
}

/* ---- what others ask for ---- */

struct errand {
	struct vdev_vhost_user *vu;
	struct vdev_virtio *dev;
	unsigned queues, enabled, queue;
	size_t offset;
	uint8_t byte;
	int err;
};

/* On the connection's thread, first of all: the one who cut the wait short is here. */
static void arrive(const struct vdev_vhost_user *vu)
{
	eventfd_t count;

	eventfd_read(vu->cut, &count); /* empty where this thread itself has called */
}

static void run_errand(struct errand *e, void (*fn)(void *opaque))
{
	eventfd_write(e->vu->cut, 1);
	vdev_iothread_call(e->vu->thread, fn, e);
}

static void open_here(void *opaque)
{
	struct errand *e = opaque;
	struct vdev_vhost_user *vu = e->vu;
	const struct timespec tick = {.tv_nsec = (long)(20 * MS)};
	uint64_t deadline = deadline_now() + OPEN_MS * MS;

	arrive(vu);
	for (;;) {
		e->err = reach(vu);
		if (!e->err ||
		    (e->err != -ENOENT && e->err != -ECONNREFUSED && e->err != -EAGAIN) ||
		    deadline_now() > deadline)
			break;
		nanosleep(&tick, NULL);
	}
	if (e->err)
		hang_up(vu);
	else if (vu->config.listener >= 0)
		e->err = loop_add(vdev_iothread_loop(vu->thread), vu->config.listener, EPOLLIN,
				  arrived, vu, &vu->arriving);
}

static void close_here(void *opaque)
{
	struct vdev_vhost_user *vu = ((struct errand *)opaque)->vu;

	arrive(vu);
	loop_remove(vu->timer);
	loop_remove(vu->arriving);
	hang_up(vu);
}

static void start_here(void *opaque)
{
	const struct errand *e = opaque;
	struct vdev_vhost_user *vu = e->vu;

	arrive(vu);
	vu->dev = e->dev;
	vu->queues = e->queues;
	vu->enabled = e->enabled;
	if (vu->unsure)
		vdev_virtio_needs_reset(vu->dev);
	else if (vu->sock >= 0 || vu->config.listener < 0)
		schedule(vu, 1);
}

static void stop_here(void *opaque)
{
	struct vdev_vhost_user *vu = ((struct errand *)opaque)->vu;

	arrive(vu);
	int err = vu->serving ? vdev_vu_take_back(vu) : 0;
	if (err) {
		drop(vu, err);
		schedule(vu, vu->backoff);
	} else if (vu->serving) {
		io_close(&vu->inflight); /* nothing is under way: the notes are blank */
	}
	vu->serving = false;
	vu->dev = NULL;
}

static void call_here(void *opaque)
{
	const struct errand *e = opaque;
	struct vdev_vhost_user *vu = e->vu;

	arrive(vu);
	int err = vu->serving ? vdev_vu_tell_call(vu, e->queue) : 0;
	if (err) {
		drop(vu, err);
		schedule(vu, vu->backoff);
	}
}

static void write_here(void *opaque)
{
	const struct errand *e = opaque;
	struct vdev_vhost_user *vu = e->vu;

	arrive(vu);
	vu->written.set = true;
	vu->written.offset = e->offset;
	vu->written.byte = e->byte;
	if (vu->sock < 0)
		return;
	struct vdev_vu_wire wire = vdev_vu_wire_of(vu);
	int err = send_written(vu, &wire);
	if (err) {
		drop(vu, err);
		schedule(vu, vu->backoff);
	}
}

static void forget_here(void *opaque)
{
	struct vdev_vhost_user *vu = ((struct errand *)opaque)->vu;

	arrive(vu);
	io_close(&vu->inflight);
	vu->unsure = false;
}

/* ---- the interface ---- */

void vdev_vhost_user_start(struct vdev_vhost_user *vu, struct vdev_virtio *dev, unsigned queues,
			   unsigned enabled)
{
	run_errand(&(struct errand){.vu = vu, .dev = dev, .queues = queues, .enabled = enabled},
		   start_here);
}

void vdev_vhost_user_stop(struct vdev_vhost_user *vu)
{
	run_errand(&(struct errand){.vu = vu}, stop_here);
}

void vdev_vhost_user_forget(struct vdev_vhost_user *vu)
{
	run_errand(&(struct errand){.vu = vu}, forget_here);
}

void vdev_vhost_user_call_changed(struct vdev_vhost_user *vu, unsigned queue)
{
	run_errand(&(struct errand){.vu = vu, .queue = queue}, call_here);
}

void vdev_vhost_user_enable(struct vdev_vhost_user *vu, unsigned enabled)
{
	vu->enabled = enabled;
	int err = vu->serving ? vdev_vu_tell_enabled(vu) : 0;
	if (err) { /* the next connection is told */
		drop(vu, err);
		schedule(vu, vu->backoff);
	}
}

uint64_t vdev_vhost_user_features(const struct vdev_vhost_user *vu)
{
	/* Completing in order is a promise between driver and device about used rings that the
	 * guesses above do not know. */
	return vu->first_offered & ~VDEV_FEATURE(VU_F_PROTOCOL_FEATURES) &
	       ~VDEV_FEATURE(F_IN_ORDER);
}

unsigned vdev_vhost_user_queues(const struct vdev_vhost_user *vu)
{
	return vu->first_queues;
}

bool vdev_vhost_user_up(const struct vdev_vhost_user *vu, unsigned *connections)
{
	*connections = atomic_load(&vu->connections);
	return atomic_load(&vu->up);
}

void vdev_vhost_user_config_read(struct vdev_vhost_user *vu, size_t offset, void *data, size_t len)
{
	pthread_mutex_lock(&vu->lock);
	memcpy(data, vu->bytes + offset, len);
	pthread_mutex_unlock(&vu->lock);
}

void vdev_vhost_user_config_write(struct vdev_vhost_user *vu, size_t offset, uint8_t byte)
{
	run_errand(&(struct errand){.vu = vu, .offset = offset, .byte = byte}, write_here);
}

struct vdev_iothread *vdev_vhost_user_thread(struct vdev_vhost_user *vu)
{
	return vu->thread;
}

const char *vdev_vhost_user_unsavable(const struct vdev_vhost_user *vu)
{
	return vu->unsure || vu->inflight >= 0
		       ? "its back-end is gone, and requests may be under way"
		       : NULL;
}

/* Guest memory must be such that another process can map it. */
static int check_memory(const struct vdev_vhost_user_config *config)
{
	const struct hv_ram_block *blocks;
	size_t count = hv_mem_blocks(config->vm, &blocks);

	for (size_t i = 0; i < count; i++)
		if (blocks[i].fd < 0)
			return log_fail(-ENOTSUP, config->name,
					"its back-end cannot reach the guest's memory, which is "
					"private; start the VM with --memory SIZE,share");
	return 0;
}

static int set_up(struct vdev_vhost_user *vu)
{
	char thread[16];
	const char *base = strchr(vu->name, ' ');

	snprintf(thread, sizeof(thread), "vu/%.12s", base ? base + 1 : vu->name);
	vu->cut = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vu->nowhere = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vu->cut < 0 || vu->nowhere < 0)
		return log_fail(-errno, vu->name, "not created: %s", strerror(errno));
	int err = vdev_iothread_create(vu->config.vm, thread, &vu->thread);
	if (err)
		return err;
	if (vu->config.listener >= 0)
		io_set_nonblock(vu->config.listener, 1);
	struct errand e = {.vu = vu};
	run_errand(&e, open_here);
	if (e.err)
		log_error(vu->name, "no back-end at %s: %s%s", vu->path, words(e.err),
			  e.err == -ENOENT || e.err == -ECONNREFUSED ? "; start it before the VM"
			  : e.err == -EPROTONOSUPPORT		     ? " (it is none of virtio 1)"
								     : "");
	return e.err;
}

int vdev_vhost_user_open(const struct vdev_vhost_user_config *config, struct vdev_vhost_user **out)
{
	int err = check_memory(config);
	struct vdev_vhost_user *vu = err ? NULL : calloc(1, sizeof(*vu));

	if (err)
		return err;
	if (!vu)
		return log_fail(-ENOMEM, config->name, "no memory for it");
	*vu = (struct vdev_vhost_user){.config = *config,
				       .name = strdup(config->name),
				       .path = strdup(config->path),
				       .cut = -1,
				       .nowhere = -1,
				       .sock = -1,
				       .inflight = -1,
				       .backoff = BACKOFF_MIN};
	pthread_mutex_init(&vu->lock, NULL);
	if (!vu->name || !vu->path)
		err = log_fail(-ENOMEM, config->name, "no memory for it");
	else
		err = set_up(vu);
	if (err) {
		vdev_vhost_user_close(vu);
		return err;
	}
	*out = vu;
	return 0;
}

void vdev_vhost_user_close(struct vdev_vhost_user *vu)
{
	if (!vu)
		return;
	if (vu->thread)
		run_errand(&(struct errand){.vu = vu}, close_here);
	vdev_iothread_destroy(vu->thread);
	io_close(&vu->cut);
	io_close(&vu->nowhere);
	io_close(&vu->inflight);
	pthread_mutex_destroy(&vu->lock);
	free(vu->name);
	free(vu->path);
	free(vu);
}
