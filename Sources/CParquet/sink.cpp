#include "sink.h"

#include <arrow/io/buffered.h>
#include <arrow/io/file.h>
#include <arrow/memory_pool.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "support.h"

namespace cpq {

namespace {

void sync_directory(const std::string &directory) {
    int file = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) fail_errno("open", directory);
    int result = fsync(file);
    int number = errno;
    close(file);
    errno = number;
    if (result != 0) fail_errno("sync", directory);
}

std::string directory_of(const std::string &path) {
    auto slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

/// Makes a directory and those above it; each new one lasts.
void make_directory(const std::string &directory) {
    if (access(directory.c_str(), F_OK) == 0) return;
    std::string parent = directory_of(directory);
    make_directory(parent);
    if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) fail_errno("make", directory);
    sync_directory(parent);
}

/// Pages have some kilobytes each: a system call takes many.
constexpr int64_t buffer_bytes = 256 << 10;

class LocalSink final : public Sink {
public:
    explicit LocalSink(std::string path) : path_(std::move(path)), partial_(path_ + ".tmp") {
        if (access(path_.c_str(), F_OK) == 0) throw Failure(CPQ_MISUSED, path_ + " is there already");
        make_directory(directory_of(path_));
        int file = open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (file < 0) fail_errno("create", partial_);
        exists_ = true;
        auto opened = arrow::io::FileOutputStream::Open(file);
        if (!opened.ok()) {
            close(file);
            abandon();
            check(opened.status());
        }
        file_ = std::move(opened).ValueUnsafe();
        auto buffered = arrow::io::BufferedOutputStream::Create(buffer_bytes, arrow::default_memory_pool(), file_);
        if (!buffered.ok()) {
            abandon();
            check(buffered.status());
        }
        stream_ = std::move(buffered).ValueUnsafe();
    }

    std::shared_ptr<arrow::io::OutputStream> stream() override { return stream_; }

    void publish() override {
        check(stream_->Flush());
        if (fsync(file_->file_descriptor()) != 0) fail_errno("sync", partial_);
        check(stream_->Close());
        if (rename(partial_.c_str(), path_.c_str()) != 0) fail_errno("rename", partial_);
        exists_ = false;
        try {
            sync_directory(directory_of(path_));
        } catch (...) {
            // Its name may not last: what the caller is told is not there must not be there.
            unlink(path_.c_str());
            throw;
        }
    }

    void abandon() noexcept override {
        if (stream_) (void)stream_->Abort();
        if (file_) (void)file_->Abort();
        if (exists_) unlink(partial_.c_str());
        exists_ = false;
    }

private:
    std::string path_;
    std::string partial_;
    bool exists_ = false;
    std::shared_ptr<arrow::io::FileOutputStream> file_;
    std::shared_ptr<arrow::io::BufferedOutputStream> stream_;
};

}  // namespace

std::unique_ptr<Sink> open_local_sink(const std::string &path) { return std::make_unique<LocalSink>(path); }

}  // namespace cpq
