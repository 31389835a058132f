#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "freehold/transport.h"

namespace freehold {
namespace {

const Address kA = ProcessId::FromNumber(1);
const Address kB = NodeId::FromNumber(2);

class TestInbox final : public Inbox {
 public:
  explicit TestInbox(std::function<void(const Envelope&)> on_deliver = nullptr)
      : on_deliver_(std::move(on_deliver)) {}
  void Deliver(Envelope envelope) override {
    if (on_deliver_) on_deliver_(envelope);
    texts.push_back(envelope.bytes);
    thread = std::this_thread::get_id();
  }

  std::vector<std::string> texts;
  std::thread::id thread;

 private:
  const std::function<void(const Envelope&)> on_deliver_;
};

TEST(LocalTransport, DeliversAtOnceInTheCallersThreadAndInOrder) {
  LocalTransport transport;
  const auto inbox = std::make_shared<TestInbox>();
  transport.Connect(kB, inbox);
  transport.Send({kA, kB, "one"});
  transport.Send({kA, kB, "two"});
  EXPECT_EQ(inbox->texts, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(inbox->thread, std::this_thread::get_id());
}

TEST(LocalTransport, AnAddressThatIsNotConnectedDrops) {
  LocalTransport transport;
  const auto inbox = std::make_shared<TestInbox>();
  transport.Send({kA, kB, "before"});
  transport.Connect(kB, inbox);
  transport.Disconnect(kB);
  transport.Disconnect(kB);
  transport.Send({kA, kB, "after"});
  EXPECT_TRUE(inbox->texts.empty());
}

TEST(LocalTransport, ANewInboxReplacesTheOld) {
  LocalTransport transport;
  const auto old_inbox = std::make_shared<TestInbox>();
  const auto new_inbox = std::make_shared<TestInbox>();
  transport.Connect(kB, old_inbox);
  transport.Connect(kB, new_inbox);
  transport.Send({kA, kB, "x"});
  EXPECT_TRUE(old_inbox->texts.empty());
  EXPECT_EQ(new_inbox->texts.size(), 1u);
}

TEST(LocalTransport, DoesNotKeepAnInboxAlive) {
  LocalTransport transport;
  auto inbox = std::make_shared<TestInbox>();
  const std::weak_ptr<TestInbox> weak = inbox;
  transport.Connect(kB, inbox);
  inbox.reset();
  EXPECT_TRUE(weak.expired());
  transport.Send({kA, kB, "x"});
  transport.Connect(kB, nullptr);
  transport.Send({kA, kB, "y"});
}

TEST(LocalTransport, AnInboxMayCallTheTransport) {
  LocalTransport transport;
  const auto a = std::make_shared<TestInbox>();
  auto b = std::make_shared<TestInbox>([&](const Envelope& envelope) {
    transport.Send({kB, kA, "re: " + envelope.bytes});  // deadlocks if a lock is held
    transport.Disconnect(kB);
  });
  transport.Connect(kA, a);
  transport.Connect(kB, b);
  transport.Send({kA, kB, "x"});
  transport.Send({kA, kB, "y"});
  EXPECT_EQ(a->texts, std::vector<std::string>{"re: x"});
}

TEST(LocalTransport, ThreadsMaySendWhileInboxesComeAndGo) {
  LocalTransport transport;
  std::atomic<uint64_t> arrived{0};
  class Counting final : public Inbox {
   public:
    explicit Counting(std::atomic<uint64_t>* count) : count_(count) {}
    void Deliver(Envelope envelope) override { *count_ += envelope.bytes.size(); }

   private:
    std::atomic<uint64_t>* const count_;
  };
  std::atomic<bool> stop{false};
  std::vector<std::thread> senders;
  senders.reserve(2);
  for (int t = 0; t < 2; ++t) {
    senders.emplace_back([&] {
      while (!stop) transport.Send({kA, kB, "x"});
    });
  }
  for (int i = 0; i < 2000 || arrived == 0; ++i) {
    const auto inbox = std::make_shared<Counting>(&arrived);
    transport.Connect(kB, inbox);
    if (i % 2 == 0) transport.Disconnect(kB);
  }
  stop = true;
  for (std::thread& sender : senders) sender.join();
}

}  // namespace
}  // namespace freehold
