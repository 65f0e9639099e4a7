/* Fibers: stacks of their own that hand the processor to each other. */
#ifndef KVL_CUDA_HOST_FIBER_H
#define KVL_CUDA_HOST_FIBER_H

#include <cstddef>

namespace kvl_host {

class fiber {
public:
    fiber();
    ~fiber();
    fiber(const fiber &) = delete;
    fiber &operator=(const fiber &) = delete;

    /* Makes the next `resume` call entry(argument), which must end with `leave`. */
    void start(void (*entry)(void *), void *argument);
    /* From the thread's own stack: runs the fiber until it yields or leaves. */
    void resume();
    /* From inside a fiber: back to where it was resumed. */
    void yield();
    [[noreturn]] void leave();

private:
    struct machine;
    machine *m;
};

} // namespace kvl_host
#endif
