/*
 * The least program that does what the engine does, for comparison (`bench/kvm.ts`): makes machines of 512 MB until
 * their first exit; then a real-mode guest writes to a port for ever, KVM_RUN comes back, the byte is looked at.
 * Prints nanoseconds per exit, and milliseconds from nothing to a first exit (the median).
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { RAM_BYTES = 512 << 20, CODE = 0x1000, STARTS = 21, WARM_UP = 2000, MEASURED = 40000 };

struct machine {
  int vm, vcpu, run_bytes;
  uint8_t *ram;
  struct kvm_run *run;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  double difference = *(const double *)a - *(const double *)b;
  return difference > 0 ? 1 : difference < 0 ? -1 : 0;
}

/* What host and KVM can give, as the engine gives it to its vCPUs. */
static struct kvm_cpuid2 *cpuid_table(int kvm) {
  struct kvm_cpuid2 *table = calloc(1, sizeof *table + 256 * sizeof(struct kvm_cpuid_entry2));
  table->nent = 256;
  ioctl(kvm, KVM_GET_SUPPORTED_CPUID, table);
  return table;
}

static int runs(struct machine *m) {
  return ioctl(m->vcpu, KVM_RUN, 0) == 0 && m->run->exit_reason == KVM_EXIT_IO;
}

/* Makes a machine and runs it to its first exit. */
static int start(struct machine *m, int kvm, struct kvm_cpuid2 *cpuid) {
  uint64_t identity_map = 0xfffbc000;
  struct kvm_pit_config pit = {0};
  m->vm = ioctl(kvm, KVM_CREATE_VM, 0);
  if (m->vm < 0) return 0;
  ioctl(m->vm, KVM_SET_TSS_ADDR, 0xfffbd000);
  ioctl(m->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
  ioctl(m->vm, KVM_CREATE_IRQCHIP, 0);
  ioctl(m->vm, KVM_CREATE_PIT2, &pit);
  m->ram = mmap(0, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  memcpy(m->ram + CODE, "\xe6\xe9\xeb\xfc", 4); /* 1: out 0xe9, al; jmp 1b */
  struct kvm_userspace_memory_region region = {0, 0, 0, RAM_BYTES, (uintptr_t)m->ram};
  ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region);
  m->vcpu = ioctl(m->vm, KVM_CREATE_VCPU, 0);
  m->run_bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  m->run = mmap(0, m->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
  ioctl(m->vcpu, KVM_SET_CPUID2, cpuid);
  struct kvm_sregs sregs;
  ioctl(m->vcpu, KVM_GET_SREGS, &sregs);
  sregs.cs.base = sregs.cs.selector = 0;
  ioctl(m->vcpu, KVM_SET_SREGS, &sregs);
  struct kvm_regs regs = {.rip = CODE, .rflags = 2};
  ioctl(m->vcpu, KVM_SET_REGS, &regs);
  return runs(m);
}

static void end(struct machine *m) {
  munmap(m->run, m->run_bytes);
  close(m->vcpu);
  close(m->vm);
  munmap(m->ram, RAM_BYTES);
}

int main(void) {
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  struct kvm_cpuid2 *cpuid = cpuid_table(kvm);
  struct machine m;
  double starts[STARTS], since = 0;
  for (int i = 0; i < STARTS; i++) {
    if (i > 0) end(&m);
    since = now();
    if (!start(&m, kvm, cpuid)) return 1;
    starts[i] = now() - since;
  }
  qsort(starts, STARTS, sizeof *starts, by_value);
  volatile uint8_t seen;
  for (int i = 0; i < WARM_UP + MEASURED; i++) {
    if (i == WARM_UP) since = now();
    if (!runs(&m)) return 2;
    seen = *((uint8_t *)m.run + m.run->io.data_offset);
  }
  (void)seen;
  printf("%.1f %.3f\n", (now() - since) / MEASURED, starts[STARTS / 2] / 1e6);
  return 0;
}
