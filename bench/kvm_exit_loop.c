/*
 * The least program that does what a port exit costs: a real-mode guest writes to a port for ever, KVM_RUN comes
 * back, the byte is looked at. Prints nanoseconds per exit. `bench/kvm.ts` compares the engine with it.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

enum { RAM_BYTES = 1 << 20, CODE = 0x1000, WARM_UP = 2000, MEASURED = 40000 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(void) {
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  int vm = ioctl(kvm, KVM_CREATE_VM, 0);
  uint64_t identity_map = 0xfffbc000;
  struct kvm_pit_config pit = {0};
  if (vm < 0) return 1;
  ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000);
  ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
  ioctl(vm, KVM_CREATE_IRQCHIP, 0);
  ioctl(vm, KVM_CREATE_PIT2, &pit);
  uint8_t *ram = mmap(0, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(ram + CODE, "\xe6\xe9\xeb\xfc", 4); /* 1: out 0xe9, al; jmp 1b */
  struct kvm_userspace_memory_region region = {0, 0, 0, RAM_BYTES, (uintptr_t)ram};
  ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
  int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
  struct kvm_run *run = mmap(0, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  struct kvm_sregs sregs;
  ioctl(vcpu, KVM_GET_SREGS, &sregs);
  sregs.cs.base = sregs.cs.selector = 0;
  ioctl(vcpu, KVM_SET_SREGS, &sregs);
  struct kvm_regs regs = {.rip = CODE, .rflags = 2};
  ioctl(vcpu, KVM_SET_REGS, &regs);
  double since = 0;
  volatile uint8_t seen;
  for (int i = 0; i < WARM_UP + MEASURED; i++) {
    if (i == WARM_UP) since = now();
    if (ioctl(vcpu, KVM_RUN, 0) < 0 || run->exit_reason != KVM_EXIT_IO) return 2;
    seen = *((uint8_t *)run + run->io.data_offset);
  }
  (void)seen;
  printf("%.1f\n", (now() - since) / MEASURED);
  return 0;
}
