// Where a file is written to, and how it comes to be seen.
#pragma once

#include <arrow/io/interfaces.h>

#include <memory>
#include <string>

namespace cpq {

class Sink {
public:
    virtual ~Sink() = default;
    virtual std::shared_ptr<arrow::io::OutputStream> stream() = 0;
    /// Everything is written: make it durable and visible, in this order.
    virtual void publish() = 0;
    /// Leave nothing behind. Must not throw.
    virtual void abandon() noexcept = 0;
};

/// A file of this machine, called `path`.tmp until it is whole and synced; missing directories are made.
std::unique_ptr<Sink> open_local_sink(const std::string &path);

}  // namespace cpq
