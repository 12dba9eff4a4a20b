/* SPDX-License-Identifier: BSD-3-Clause */
/* vhost_user_msg: see vhost_user_msg.h. */
#include "vdev/vhost_user_msg.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"

#define FDS_MAX VU_REGIONS /* more than this never travel at once */

/* ---- waiting ---- */

/* Until the socket is ready for `events`, they hang up, the deadline passes or the wait is cut. */
static int await(const struct vdev_vu_wire *wire, short events)
{
	struct pollfd ask[2] = {{.fd = wire->sock, .events = events},
				{.fd = wire->cut, .events = POLLIN}};
	uint64_t now = deadline_now();

	if (now >= wire->deadline)
		return -ETIMEDOUT;
	int n = poll(ask, 2, (int)((wire->deadline - now) / 1000000u) + 1);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (ask[1].revents)
		return -ECANCELED;
	return n ? 0 : -ETIMEDOUT;
}

/* ---- sending ---- */

static void attach(struct msghdr *msg, void *control, const int *fds, size_t count)
{
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(count * sizeof(int));
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS,
			      .cmsg_len = CMSG_LEN(count * sizeof(int))};
	memcpy(CMSG_DATA(c), fds, count * sizeof(int));
}

int vdev_vu_send(const struct vdev_vu_wire *wire, enum vdev_vu_request request, uint32_t flags,
		 const void *payload, size_t size, const int *fds, size_t count)
{
	struct vdev_vu_header header = {
		.request = request, .flags = VU_VERSION | flags, .size = (uint32_t)size};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))] = {0};
	struct iovec iov[2] = {{&header, sizeof(header)}, {(void *)(uintptr_t)payload, size}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = size ? 2 : 1};
	size_t left = sizeof(header) + size;

	if (count > FDS_MAX)
		return -E2BIG;
	if (count)
		attach(&msg, control, fds, count);
	for (;;) {
		ssize_t n = sendmsg(wire->sock, &msg, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		left -= n > 0 ? (size_t)n : 0;
		if (!left)
			return 0;
		if (n > 0) { /* the descriptors went with the first byte */
			msg.msg_control = NULL;
			msg.msg_controllen = 0;
		}
		for (size_t done = n > 0 ? (size_t)n : 0, i = 0; done && i < 2; i++) {
			size_t part = done < iov[i].iov_len ? done : iov[i].iov_len;

			iov[i].iov_base = (char *)iov[i].iov_base + part;
			iov[i].iov_len -= part;
			done -= part;
		}
		int err = await(wire, POLLOUT);
		if (err < 0)
			return err;
	}
}

/* ---- receiving ---- */

/* Keeps the first descriptor where one is wanted and none is there; the others are closed. */
static int take_fds(struct msghdr *msg, int *fd)
{
	int err = msg->msg_flags & MSG_CTRUNC ? -EPROTO : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int one;

			memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(one));
			if (fd && *fd < 0) {
				*fd = one;
			} else {
				io_close(&one);
				err = -EPROTO;
			}
		}
	}
	return err;
}

/* Exactly `len` bytes; descriptors that come with them go to *fd. */
static int take(const struct vdev_vu_wire *wire, void *buf, size_t len, int *fd)
{
	size_t done = 0;

	while (done < len) {
		_Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct iovec iov = {(char *)buf + done, len - done};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(wire->sock, &msg, MSG_CMSG_CLOEXEC);
		int err = 0;

		if (n == 0)
			return -ECONNRESET;
		if (n > 0)
			err = take_fds(&msg, fd);
		else if (errno == EAGAIN || errno == EINTR)
			err = await(wire, POLLIN);
		else
			err = -errno;
		if (err < 0)
			return err;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int vdev_vu_receive(const struct vdev_vu_wire *wire, enum vdev_vu_request request, void *payload,
		    size_t min, size_t max, size_t *got, int *fd)
{
	struct vdev_vu_header header;

	if (fd)
		*fd = -1;
	int err = take(wire, &header, sizeof(header), fd);
	if (!err && (header.request != request || (header.flags & 3) != VU_VERSION ||
		     !(header.flags & VU_REPLY) || header.size < min || header.size > max))
		err = -EPROTO;
	if (!err)
		err = take(wire, payload, header.size, fd);
	if (!err && got)
		*got = header.size;
	if (err && fd)
		io_close(fd);
	return err;
}

/* ---- the usual shapes ---- */

int vdev_vu_ask(const struct vdev_vu_wire *wire, enum vdev_vu_request request, uint64_t *out)
{
	int err = vdev_vu_send(wire, request, 0, NULL, 0, NULL, 0);

	return err ? err
		   : vdev_vu_receive(wire, request, out, sizeof(*out), sizeof(*out), NULL, NULL);
}

int vdev_vu_tell(const struct vdev_vu_wire *wire, enum vdev_vu_request request, uint64_t value)
{
	return vdev_vu_send(wire, request, 0, &value, sizeof(value), NULL, 0);
}

int vdev_vu_confirmed(const struct vdev_vu_wire *wire, enum vdev_vu_request request, bool ack,
		      const void *payload, size_t size, const int *fds, size_t count)
{
	uint64_t result = 0;
	int err = vdev_vu_send(wire, request, ack ? VU_NEED_REPLY : 0, payload, size, fds, count);

	if (!err && ack)
		err = vdev_vu_receive(wire, request, &result, sizeof(result), sizeof(result), NULL,
				      NULL);
	return err ? err : result ? -EREMOTEIO : 0;
}
