/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virtbus-kvm-probe: runs a vCPU for a moment. Exit status 0 when it did what it should,
 * else 1 and one line on standard output that says why not. Where KVM hangs, so does this program:
 * whoever runs it limits its time. Plain libc, so that it starts in no time.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Without what a build may do at an exit: a check for leaks traces the process, which the filter of
 * system calls of a unit denies. */
static _Noreturn void finish(int status)
{
    fflush(stdout);
    _exit(status);
}

static _Noreturn void refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void refuse(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    finish(EXIT_FAILURE);
}

#if defined(__x86_64__)

/* Guest memory: code, then the page tables that map the first 2 MiB onto themselves. */
#define CODE 0x0000u
#define PML4 0x1000u
#define PDPT 0x2000u
#define PAGE_DIRECTORY 0x3000u
#define GUEST_SIZE 0x4000u

#define PORT 0x10u
#define ANSWER 0x5bu

/* 64-bit mode, which every processor that has KVM runs itself. There are hosts whose KVM emulates
 * one instruction after the other, and guests never get anywhere: hence the loop, some milliseconds
 * on a processor, also a nested one, and far more than the time limit when emulated. */
static const uint8_t guest_code[] = {
    0xb9, 0x00,       0x00, 0x80, 0x00, /* mov $0x800000, %ecx */
    0xff, 0xc9,                         /* 1: dec %ecx */
    0x75, 0xfc,                         /* jnz 1b */
    0xb0, ANSWER - 1,                   /* mov $(ANSWER - 1), %al */
    0x04, 0x01,                         /* add $1, %al */
    0xe6, PORT,                         /* out %al, $PORT */
    0xf4,                               /* hlt */
};

static int checked_ioctl(int fd, unsigned long request, void *argument, const char *what)
{
    int result = ioctl(fd, request, argument);

    if (result < 0)
        refuse("%s: %s", what, strerror(errno));
    return result;
}

static void put_entry(uint8_t *memory, uint32_t table, uint64_t entry)
{
    memcpy(memory + table, &entry, sizeof entry);
}

static int make_vm(int kvm)
{
    int vm = ioctl(kvm, KVM_CREATE_VM, 0ul);
    uint8_t *memory;

    if (vm < 0)
        refuse("cannot make a virtual machine: %s", strerror(errno));
    memory = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        refuse("no memory for the guest: %s", strerror(errno));
    memcpy(memory + CODE, guest_code, sizeof guest_code);
    put_entry(memory, PML4, PDPT | 0x3);           /* present, writable */
    put_entry(memory, PDPT, PAGE_DIRECTORY | 0x3); /* present, writable */
    put_entry(memory, PAGE_DIRECTORY, 0x83);       /* and a page of 2 MiB */

    struct kvm_userspace_memory_region region = {
        .guest_phys_addr = 0,
        .memory_size = GUEST_SIZE,
        .userspace_addr = (uintptr_t)memory,
    };
    checked_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region, "cannot give the guest memory");
    return vm;
}

/* Long mode is refused to a vCPU that does not know of it. */
static void set_features(int kvm, int vcpu)
{
    enum { MAX_ENTRIES = 256 };
    struct kvm_cpuid2 *features =
        calloc(1, sizeof *features + MAX_ENTRIES * sizeof features->entries[0]);

    if (!features)
        refuse("out of memory");
    features->nent = MAX_ENTRIES;
    checked_ioctl(kvm, KVM_GET_SUPPORTED_CPUID, features, "cannot read the features");
    checked_ioctl(vcpu, KVM_SET_CPUID2, features, "cannot set the vCPU's features");
    free(features);
}

static void set_registers(int vcpu)
{
    const struct kvm_segment code = {
        .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    const struct kvm_segment data = {
        .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
    struct kvm_regs regs = {.rip = CODE, .rflags = 0x2};
    struct kvm_sregs sregs;

    checked_ioctl(vcpu, KVM_GET_SREGS, &sregs, "cannot read the vCPU's state");
    sregs.cs = code;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    sregs.cr3 = PML4;
    sregs.cr4 = 0x20;       /* PAE */
    sregs.cr0 = 0x80000033; /* PG, NE, ET, MP, PE */
    sregs.efer = 0x500;     /* LMA, LME */
    checked_ioctl(vcpu, KVM_SET_SREGS, &sregs, "cannot set the vCPU's state");
    checked_ioctl(vcpu, KVM_SET_REGS, &regs, "cannot set the vCPU's registers");
}

static void run_until(int vcpu, struct kvm_run *run, uint32_t expected)
{
    checked_ioctl(vcpu, KVM_RUN, NULL, "cannot run the vCPU");
    if (run->exit_reason != expected)
        refuse("the vCPU stopped for reason %u instead of %u", run->exit_reason, expected);
}

static void run_guest(int kvm)
{
    int vm = make_vm(kvm);
    int size = checked_ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "cannot size the vCPU's state");
    int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0ul);
    struct kvm_run *run;

    if (vcpu < 0)
        refuse("cannot make a vCPU: %s", strerror(errno));
    run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED)
        refuse("cannot see the vCPU's state: %s", strerror(errno));

    set_features(kvm, vcpu);
    set_registers(vcpu);
    run_until(vcpu, run, KVM_EXIT_IO);
    uint8_t said = *((uint8_t *)run + run->io.data_offset);
    if (run->io.direction != KVM_EXIT_IO_OUT || run->io.port != PORT || said != ANSWER)
        refuse("the vCPU computed %#x instead of %#x", said, ANSWER);
    run_until(vcpu, run, KVM_EXIT_HLT);
}

#else

static void run_guest(int kvm)
{
    refuse("there is no test program for this architecture");
}

#endif

int main(void)
{
    int kvm, version;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody is left to limit the time */
    kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0)
        refuse("/dev/kvm: %s", strerror(errno));
    version = ioctl(kvm, KVM_GET_API_VERSION, 0ul);
    if (version != KVM_API_VERSION)
        refuse("/dev/kvm speaks version %d instead of %d", version, KVM_API_VERSION);
    run_guest(kvm);
    puts("ok");
    finish(EXIT_SUCCESS);
}
