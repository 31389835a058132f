#include "src/runtime/move_jobs.h"

#include <memory>
#include <utility>

#include "src/runtime/host_jobs.h"

namespace freehold::runtime {

namespace {

class MoveJob final : public CallbackJob::Body {
 public:
  MoveJob(const ObjectId& object, MoveCallback callback, const MoveResult& result)
      : object_(object), callback_(std::move(callback)), result_(result) {}
  void Run() override { callback_(object_, result_); }
  ObjectId object() const override { return object_; }
  const char* what() const override { return "move callback"; }

 private:
  const ObjectId object_;
  MoveCallback callback_;
  const MoveResult result_;
};

class PromotedJob final : public CallbackJob::Body {
 public:
  PromotedJob(const ObjectId& object, uint32_t generation, PromotedCallback callback)
      : object_(object), generation_(generation), callback_(std::move(callback)) {}
  void Run() override { callback_(object_, generation_); }
  ObjectId object() const override { return object_; }
  const char* what() const override { return "promotion callback"; }

 private:
  const ObjectId object_;
  const uint32_t generation_;
  const PromotedCallback callback_;
};

}  // namespace

void PostMoveResult(CallbackExecutor* executor, Logger* logger, const ObjectId& object,
                    MoveCallback callback, const MoveResult& result) {
  PostGuarded(executor, logger, std::make_unique<MoveJob>(object, std::move(callback), result));
}

void PostPromoted(CallbackExecutor* executor, Logger* logger, const ObjectId& object,
                  uint32_t generation, PromotedCallback callback) {
  PostGuarded(executor, logger,
              std::make_unique<PromotedJob>(object, generation, std::move(callback)));
}

}  // namespace freehold::runtime
