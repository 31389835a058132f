// UnboundFiles: who is told of which file, and when the last one of a value is gone.

#include "src/core/unbound_files.h"

#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/owner_payload.h"

namespace freehold::core {
namespace {

using Gone = UnboundFiles::Gone;

constexpr PeerIndex kN1 = 1;
constexpr PeerIndex kN2 = 2;

class Files {
 public:
  void Add(uint64_t object, const std::string& url,
           UnboundFile::Use use = UnboundFile::Use::kKept) {
    files.Add({ObjectId::FromNumber(object), 0, 7, url, use});
    files.CheckInvariants();
  }
  // Answers who is to be marked ready.
  std::vector<PeerIndex> Delete(uint64_t object, uint32_t count) {
    std::vector<PeerIndex> ready;
    files.Delete({ObjectId::FromNumber(object), 0}, count, &ready);
    files.CheckInvariants();
    return ready;
  }
  // What `node` hears, as "+url" and "-url". Their numbers by url are kept.
  std::vector<std::string> Fill(PeerIndex node, size_t bytes_max = kEnvelopeBytesMost) {
    struct Sink : StraySink {
      void OnFile(const FileItem& item) override { items.push_back(item); }
      std::vector<FileItem> items;
    } sink;
    PayloadWriter writer(bytes_max);
    more = files.Fill(node, &writer);
    files.CheckInvariants();
    std::vector<std::string> words;
    if (writer.empty()) return words;
    const std::string payload = writer.Take();
    EXPECT_EQ(ReadPayload(payload, &sink), CodecError::kOk);
    for (const FileItem& item : sink.items) {
      words.push_back((item.kind == FileItemKind::kCarry ? "+" : "-") + item.url);
      last[item.url] = item;
    }
    return words;
  }
  Gone OnGone(PeerIndex node, const std::string& url) {
    FileItem item = last.at(url);
    item.kind = FileItemKind::kGone;
    const Gone gone = files.OnGone(node, item);
    files.CheckInvariants();
    return gone;
  }

  UnboundFiles files;
  bool more = false;
  std::map<std::string, FileItem> last;
};

using Words = std::vector<std::string>;

TEST(UnboundFiles, AFileIsCarriedAndThenDeletedByItsCarrier) {
  Files files;
  files.Add(1, "a");
  EXPECT_EQ(files.files.without_agent(), 1u);
  files.files.Assign(kN1, 64);
  EXPECT_EQ(files.files.without_agent(), 0u);
  EXPECT_EQ(files.Fill(kN1), Words{"+a"});
  EXPECT_EQ(files.Fill(kN1), Words{}) << "it is told once";
  EXPECT_EQ(files.Delete(1, 1), std::vector<PeerIndex>{kN1});
  EXPECT_EQ(files.Fill(kN1), Words{"-a"});
  EXPECT_EQ(files.OnGone(kN1, "a"), Gone::kLast);
  EXPECT_EQ(files.files.size(), 0u);
}

TEST(UnboundFiles, OneThatIsOverBeforeItsCarrierHearsOfItIsDeletedAtOnce) {
  Files files;
  files.Add(1, "a");
  EXPECT_TRUE(files.Delete(1, 1).empty()) << "nobody is to be marked";
  files.files.Assign(kN1, 64);
  EXPECT_EQ(files.Fill(kN1), Words{"-a"});
  EXPECT_EQ(files.OnGone(kN1, "a"), Gone::kLast);
}

TEST(UnboundFiles, AnswersThatNobodyIsOwedAreRefused) {
  Files files;
  files.Add(1, "a");
  files.files.Assign(kN1, 64);
  (void)files.Fill(kN1);
  EXPECT_EQ(files.OnGone(kN1, "a"), Gone::kRefused) << "it was not asked to delete it";
  (void)files.Delete(1, 1);
  EXPECT_EQ(files.OnGone(kN1, "a"), Gone::kRefused) << "nor has it heard so yet";
  (void)files.Fill(kN1);
  EXPECT_EQ(files.OnGone(kN2, "a"), Gone::kRefused) << "another agent";
  FileItem lie = files.last.at("a");
  lie.object = ObjectId::FromNumber(2);
  EXPECT_EQ(files.files.OnGone(kN1, lie), Gone::kRefused) << "another object";
  lie = files.last.at("a");
  lie.generation = 1;
  EXPECT_EQ(files.files.OnGone(kN1, lie), Gone::kRefused) << "another generation";
  EXPECT_EQ(files.OnGone(kN1, "a"), Gone::kLast);
  EXPECT_EQ(files.OnGone(kN1, "a"), Gone::kRefused) << "twice";
}

TEST(UnboundFiles, AnotherAgentTakesThePlaceOfOneThatGoes) {
  Files files;
  files.Add(1, "a");
  files.Add(2, "b");
  files.files.Assign(kN1, 64);
  (void)files.Fill(kN1);
  (void)files.Delete(2, 1);
  (void)files.Fill(kN1);
  EXPECT_TRUE(files.files.ExcludeNode(kN1, 1)) << "in pieces";
  EXPECT_FALSE(files.files.ExcludeNode(kN1, 1));
  EXPECT_EQ(files.files.without_agent(), 2u);
  files.files.Assign(kN2, 64);
  EXPECT_EQ(files.Fill(kN2), (Words{"+a", "-b"}));
  EXPECT_EQ(files.OnGone(kN1, "b"), Gone::kRefused);
  EXPECT_EQ(files.OnGone(kN2, "b"), Gone::kLast);
}

TEST(UnboundFiles, TheLastFileOfAValueIsTheLastOfThoseThatWereCounted) {
  Files files;
  files.Add(1, "a");
  files.files.Assign(kN1, 64);
  (void)files.Delete(1, 2);  // the word of the second one is late
  (void)files.Fill(kN1);
  EXPECT_EQ(files.OnGone(kN1, "a"), Gone::kYes);
  files.Add(1, "b");
  files.files.Assign(kN2, 64);
  EXPECT_EQ(files.Fill(kN2), Words{"-b"});
  EXPECT_EQ(files.OnGone(kN2, "b"), Gone::kLast);
}

TEST(UnboundFiles, OneThatAppearsAfterTheEndIsWaitedForToo) {
  Files files;
  files.Add(1, "a");
  files.files.Assign(kN1, 64);
  (void)files.Delete(1, 1);
  files.Add(1, "b", UnboundFile::Use::kOver);
  files.files.Assign(kN1, 64);
  EXPECT_EQ(files.Fill(kN1), (Words{"-a", "-b"}));
  EXPECT_EQ(files.OnGone(kN1, "a"), Gone::kYes);
  EXPECT_EQ(files.OnGone(kN1, "b"), Gone::kLast);
}

TEST(UnboundFiles, ALooseOneIsDeletedAndNobodyWaitsForIt) {
  Files files;
  files.Add(1, "a");
  files.Add(1, "loose", UnboundFile::Use::kLoose);
  files.files.Assign(kN1, 64);
  EXPECT_EQ(files.Fill(kN1), (Words{"+a", "-loose"}));
  (void)files.Delete(1, 1);
  EXPECT_EQ(files.Fill(kN1), Words{"-a"});
  EXPECT_EQ(files.OnGone(kN1, "a"), Gone::kLast);
  EXPECT_FALSE(files.files.ExcludeNode(kN1, 64)) << "a loose one finds another agent too";
  files.files.Assign(kN2, 64);
  EXPECT_EQ(files.Fill(kN2), Words{"-loose"});
  EXPECT_EQ(files.OnGone(kN2, "loose"), Gone::kYes);
  EXPECT_EQ(files.files.size(), 0u);
}

// A carrier of its would delete at its barrier what that one has taken back.
TEST(UnboundFiles, OneThatTheOwnerBeforeMayTakeBackWaitsForNoCarrier) {
  Files files;
  files.Add(1, "a", UnboundFile::Use::kHeldBack);
  files.Add(1, "b", UnboundFile::Use::kHeldBack);
  files.Add(2, "c", UnboundFile::Use::kHeldBack);
  EXPECT_EQ(files.files.without_agent(), 0u);
  files.Add(1, "a", UnboundFile::Use::kStays);
  files.Add(1, "a", UnboundFile::Use::kStays);
  files.Add(3, "a", UnboundFile::Use::kStays);
  EXPECT_EQ(files.files.without_agent(), 1u);
  EXPECT_EQ(files.files.size(), 3u);
  (void)files.Delete(2, 1);
  EXPECT_EQ(files.files.without_agent(), 2u) << "what is over is to be deleted by somebody";
  files.files.Assign(kN1, 64);
  EXPECT_EQ(files.Fill(kN1), (Words{"+a", "-c"}));
  files.Add(1, "a", UnboundFile::Use::kStays);
  EXPECT_EQ(files.Fill(kN1), Words{});
}

TEST(UnboundFiles, AFullWriterLeavesTheRestForTheNext) {
  Files files;
  const std::string url(400, 'u');
  for (int i = 0; i < 4; ++i) files.Add(1, url + std::to_string(i));
  files.files.Assign(kN1, 64);
  EXPECT_EQ(files.Fill(kN1, 1000).size(), 2u);
  EXPECT_TRUE(files.more);
  EXPECT_EQ(files.Fill(kN1, 8192).size(), 2u);
  EXPECT_FALSE(files.more);
}

}  // namespace
}  // namespace freehold::core
