// The host's end of the virtual board's link.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

[[noreturn]] inline void fail(const char* what) {
    std::printf("{\"error\": \"%s: %s\"}\n", what, std::strerror(errno));
    std::exit(1);
}

// The host's end: a listening socket with at most one client, or a pseudo-terminal.
class Host {
public:
    // `port` of TCP, 0 for any that is free.
    Host(bool terminal, uint16_t port) : terminal_(terminal), port_(port) {
        if (terminal) {
            char name[256];
            struct termios raw {};
            cfmakeraw(&raw);
            int child;
            if (openpty(&client_, &child, name, &raw, nullptr)) fail("cannot open a pseudo-terminal");
            // The child's end stays open here, so that hosts can come and go.
            std::printf("{\"url\": \"%s\"}\n", name);
        } else {
            appear();
            std::printf("{\"url\": \"socket://127.0.0.1:%d\"}\n", port_);
        }
        std::fflush(stdout);
        if (client_ >= 0) fcntl(client_, F_SETFL, O_NONBLOCK);
    }

    // Waits up to `milliseconds` for a byte or a host, then takes what there is and sends what it can.
    void serve(std::deque<uint8_t>& in, std::vector<uint8_t>& out, int milliseconds) {
        pollfd wait[2] = {{client_, POLLIN, 0}, {listener_, POLLIN, 0}};
        if (!out.empty() && client_ >= 0) wait[0].events |= POLLOUT;
        poll(wait, 2, milliseconds);
        if (wait[1].revents & POLLIN) accept_one(in, out);
        if (client_ < 0) {
            out.clear();
            return;
        }
        if (!out.empty()) {
            ssize_t sent = terminal_ ? write(client_, out.data(), out.size())
                                     : send(client_, out.data(), out.size(), MSG_NOSIGNAL);
            if (sent > 0) out.erase(out.begin(), out.begin() + sent);
        }
        if (in.size() < 65536) {
            uint8_t buffer[16384];
            ssize_t count = read(client_, buffer, sizeof buffer);
            if (count > 0) in.insert(in.end(), buffer, buffer + count);
            if (!terminal_ && (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))) {
                close(client_);
                client_ = -1;
                out.clear();
            }
        }
    }

    // The port is gone, as that of a board that is pulled off, with the bytes on their way. A pseudo-terminal stays.
    void vanish(std::deque<uint8_t>& in, std::vector<uint8_t>& out) {
        in.clear();
        out.clear();
        if (terminal_) return;
        for (int* file : {&client_, &listener_}) {
            if (*file >= 0) close(*file);
            *file = -1;
        }
    }

    // Listens on the port, if it is gone.
    void appear() {
        if (terminal_ || listener_ >= 0) return;
        listener_ = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port_);
        socklen_t size = sizeof address;
        const int one = 1;  // so that a port can be used again at once
        setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (listener_ < 0 || bind(listener_, reinterpret_cast<sockaddr*>(&address), size) || listen(listener_, 4) ||
            getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size))
            fail("cannot listen on the port");
        fcntl(listener_, F_SETFL, O_NONBLOCK);
        port_ = ntohs(address.sin_port);
    }

private:
    // A host that has left, even just now, makes room for the next one, and the bytes that it left on the line are dropped.
    void accept_one(std::deque<uint8_t>& in, std::vector<uint8_t>& out) {
        int fresh = accept(listener_, nullptr, nullptr);
        if (fresh < 0) return;
        if (client_ >= 0) {
            pollfd old = {client_, POLLRDHUP, 0};
            if (poll(&old, 1, 0) <= 0) {
                close(fresh);  // the host says that the board is taken
                return;
            }
            close(client_);
        }
        in.clear();
        out.clear();
        int one = 1;
        setsockopt(fresh, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(fresh, F_SETFL, O_NONBLOCK);
        client_ = fresh;
    }

    bool terminal_;
    uint16_t port_;
    int listener_ = -1;
    int client_ = -1;
};
