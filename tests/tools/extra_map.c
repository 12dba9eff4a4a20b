/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * extra_map PID IOVA: gives the devices of a running VM a page of memory that is not the VM's.
 *
 * For the proof that an audit sees such a thing. Nothing in sluice-vmm helps: as any other root
 * program could, it takes a copy of the VM's VFIO container (pidfd_getfd(2)) and maps a page of its
 * own there. It says "mapped PHYSICAL-ADDRESS", and takes the page back when its input ends.
 */
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

/* The number under which the process has /dev/vfio/vfio open. */
static int container_of_process(int pid)
{
	char path[64], target[64];

	for (int fd = 0; fd < 1024; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		if (n > 0 && (target[n] = '\0', !strcmp(target, "/dev/vfio/vfio")))
			return fd;
	}
	return -1;
}

static uint64_t physical(const void *page)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (pread(fd, &entry, 8, (off_t)((uintptr_t)page / 4096 * 8)) != 8)
		entry = 0;
	close(fd);
	return (entry & ((UINT64_C(1) << 55) - 1)) * 4096;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return fprintf(stderr, "usage: extra_map PID IOVA\n"), 2;
	int pid = atoi(argv[1]), number = container_of_process(pid);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int container = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (container < 0)
		return fail("the VM's container");
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return fail("mmap");
	strcpy(page, "not the VM's");
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)page,
		.iova = strtoull(argv[2], NULL, 0),
		.size = 4096,
	};
	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map) < 0)
		return fail("map");
	printf("mapped 0x%llx\n", (unsigned long long)physical(page));
	fflush(stdout);
	while (getchar() != EOF)
		;
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap), .iova = map.iova, .size = map.size};
	return ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap) < 0 ? fail("unmap") : 0;
}
