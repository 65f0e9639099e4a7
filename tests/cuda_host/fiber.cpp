/* A switch saves the registers that a call keeps, on x86-64 by hand; elsewhere ucontext does it, with a system call each time.
 * AddressSanitizer is told of every switch, since it knows stacks by their bounds. */
#include "tests/cuda_host/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KVL_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define KVL_ASAN 1
#endif
#ifdef KVL_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace kvl_host {

static constexpr size_t STACK = 256 * 1024; /* touched pages only count */

#if defined(__x86_64__)
typedef void *place; /* stack pointer; the registers lie above it */
extern "C" void kvl_host_switch(place *from, place to);
asm(R"(
.text
.globl kvl_host_switch
.hidden kvl_host_switch
.type kvl_host_switch, @function
kvl_host_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size kvl_host_switch, .-kvl_host_switch
)");
#else
typedef ucontext_t place;
static void kvl_host_switch(place *from, place &to) { swapcontext(from, &to); }
#endif

struct fiber::machine {
    char *stack;
    place inside, outside;
    void (*entry)(void *);
    void *argument;
    void *fake_inside, *fake_outside; /* AddressSanitizer's */
    const void *outside_bottom;
    size_t outside_size;
};

static void begin_switch(void **fake, const void *bottom, size_t size)
{
#ifdef KVL_ASAN
    __sanitizer_start_switch_fiber(fake, bottom, size);
#else
    (void)fake, (void)bottom, (void)size;
#endif
}

static void end_switch(void *fake, const void **bottom, size_t *size)
{
#ifdef KVL_ASAN
    __sanitizer_finish_switch_fiber(fake, bottom, size);
#else
    (void)fake, (void)bottom, (void)size;
#endif
}

/* The fiber whose first step this is; a function on an empty stack takes no arguments. */
static fiber *starting;

fiber::fiber() : m(new machine())
{
    void *stack = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED)
        throw std::bad_alloc();
    m->stack = static_cast<char *>(stack);
}

fiber::~fiber()
{
    munmap(m->stack, STACK);
    delete m;
}

void fiber::start(void (*entry)(void *), void *argument)
{
    m->entry = entry;
    m->argument = argument;
    m->fake_inside = nullptr;
    auto first = +[] {
        fiber *self = starting;
        end_switch(nullptr, &self->m->outside_bottom, &self->m->outside_size);
        self->m->entry(self->m->argument);
        abort();
    };
#ifdef KVL_ASAN
    __asan_unpoison_memory_region(m->stack, STACK); /* what the last run left behind */
#endif
#if defined(__x86_64__)
    /* As if `first` had been called (its stack is 8 bytes off a multiple of 16) and had then switched away. */
    void **top = reinterpret_cast<void **>(m->stack + STACK);
    *--top = nullptr;
    *--top = reinterpret_cast<void *>(static_cast<void (*)()>(first));
    m->inside = top - 6;
#else
    getcontext(&m->inside);
    m->inside.uc_stack.ss_sp = m->stack;
    m->inside.uc_stack.ss_size = STACK;
    m->inside.uc_link = nullptr;
    makecontext(&m->inside, first, 0);
#endif
}

void fiber::resume()
{
    starting = this;
    begin_switch(&m->fake_outside, m->stack, STACK);
    kvl_host_switch(&m->outside, m->inside);
    end_switch(m->fake_outside, nullptr, nullptr);
}

void fiber::yield()
{
    begin_switch(&m->fake_inside, m->outside_bottom, m->outside_size);
    kvl_host_switch(&m->inside, m->outside);
    end_switch(m->fake_inside, &m->outside_bottom, &m->outside_size);
}

void fiber::leave()
{
    begin_switch(nullptr, m->outside_bottom, m->outside_size);
    kvl_host_switch(&m->inside, m->outside);
    abort();
}

} // namespace kvl_host
