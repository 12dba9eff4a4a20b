/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user back-end that answers anything: a disk is made with it, a driver brings the disk up
 * and stops it, and nothing but that goes wrong. Of every answer one byte of the input tells how it
 * is: mostly well-formed with contents from the input, else with a header, a length or descriptors
 * of the input's choice. When the input is at its end, it hangs up.
 */
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "base/util.h"
#include "tests/vdev/guest_virtio.h"
#include "vdev/vhost_user_msg.h"
#include "vdev/virtio.h"
#include "vdev/virtio_blk_user.h"

#define V1	VDEV_FEATURE(VIRTIO_F_VERSION_1)
#define IDLE_MS 30

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct peer {
	const uint8_t *data;
	size_t left;
	int listener;
};

static uint8_t next(struct peer *p)
{
	if (!p->left)
		return 0;
	p->left--;
	return *p->data++;
}

static void fill(struct peer *p, void *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = next(p);
}

static void close_fds(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			io_close(&fd);
		}
}

/* One message of the front-end's. */
static bool take(int sock, struct vdev_vu_header *header)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(VU_REGIONS * sizeof(int))];
	uint8_t payload[512];
	struct iovec iov = {header, sizeof(*header)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct pollfd ask = {.fd = sock, .events = POLLIN};

	if (poll(&ask, 1, IDLE_MS) != 1 ||
	    recvmsg(sock, &msg, MSG_WAITALL) != (ssize_t)sizeof(*header))
		return false;
	close_fds(&msg);
	return header->size <= sizeof(payload) &&
	       (!header->size ||
		recv(sock, payload, header->size, MSG_WAITALL) == (ssize_t)header->size);
}

/* What is right, as far as its size goes; 0: no answer is. */
static uint32_t right_size(const struct vdev_vu_header *asked)
{
	switch (asked->request) {
	case VU_GET_FEATURES:
	case VU_GET_PROTOCOL_FEATURES:
	case VU_GET_QUEUE_NUM:
	case VU_GET_VRING_BASE:
		return 8;
	case VU_GET_CONFIG:
	case VU_GET_INFLIGHT_FD:
		return asked->size;
	default:
		return asked->flags & VU_NEED_REPLY ? 8 : 0;
	}
}

/* Such that the front-end goes on to the next question. */
static void help(const struct vdev_vu_header *asked, uint8_t *payload)
{
	uint64_t number = 0;

	if (asked->request == VU_GET_FEATURES)
		number = V1 | VDEV_FEATURE(VU_F_PROTOCOL_FEATURES) | VDEV_FEATURE(12);
	if (asked->request == VU_GET_PROTOCOL_FEATURES)
		number = UINT64_MAX;
	if (asked->request == VU_GET_QUEUE_NUM)
		number = 2;
	memcpy(payload, &number, sizeof(number));
}

static void give(struct peer *p, int sock, const struct vdev_vu_header *asked)
{
	struct vdev_vu_header header = {asked->request, VU_VERSION | VU_REPLY, right_size(asked)};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	uint8_t bytes[sizeof(header) + 512] = {0}, how = next(p);
	struct iovec iov = {bytes, 0};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (!header.size && !(how & 0x80))
		return;
	if (how & 0x40)
		fill(p, &header, sizeof(header));
	if (how & 0x20)
		fill(p, bytes + sizeof(header), MIN(header.size, 512u));
	else
		help(asked, bytes + sizeof(header));
	memcpy(bytes, &header, sizeof(header));
	iov.iov_len = how & 0x10 ? next(p) : sizeof(header) + MIN(header.size, 512u);
	if ((how & 0x08) || (asked->request == VU_GET_INFLIGHT_FD && !(how & 0x04))) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		*CMSG_FIRSTHDR(&msg) =
			(struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &p->listener, sizeof(int));
	}
	sendmsg(sock, &msg, MSG_NOSIGNAL);
}

static void *serve(void *opaque)
{
	struct peer *p = opaque;
	struct pollfd ask = {.fd = p->listener, .events = POLLIN};
	struct vdev_vu_header asked;

	if (poll(&ask, 1, 1000) != 1)
		return NULL;
	int sock = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
	while (p->left && take(sock, &asked))
		give(p, sock, &asked);
	io_close(&sock);
	return NULL;
}

static void drive(struct guest_virtio *g, const char *path)
{
	const struct vdev_disk_config config = {
		.name = "disk t", .fd = -1, .socket = path, .queues = 2};
	struct vdev_function *fn;

	if (vdev_blk_user_create(g->vm, g->loop, &config, &fn) < 0)
		return;
	guest_virtio_attach(g, fn);
	guest_bring_up(g, V1, 1);
	usleep(2000);
	hv_device_lock(g->vm);
	vdev_virtio_quiesce(fn);
	vdev_virtio_resume(fn);
	hv_device_unlock(g->vm);
}

static void listen_at(struct peer *p, struct sockaddr_un *name)
{
	snprintf(name->sun_path, sizeof(name->sun_path), "/tmp/sluice-vu-fuzz-%d", (int)getpid());
	unlink(name->sun_path);
	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(p->listener, (struct sockaddr *)name, sizeof(*name)) < 0 ||
	    listen(p->listener, 8) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct peer peer = {.data = data, .left = size};
	struct guest_virtio g;
	pthread_t thread;

	listen_at(&peer, &name);
	guest_virtio_init(&g);
	fake_hv_share_ram(g.vm);
	if (pthread_create(&thread, NULL, serve, &peer))
		abort();
	drive(&g, name.sun_path);
	guest_virtio_finish(&g);
	pthread_join(thread, NULL);
	io_close(&peer.listener);
	unlink(name.sun_path);
	return 0;
}
