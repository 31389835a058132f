/*
 * transfer.pml: the transfer of ownership (PROTOCOL.md, step 11), for the SPIN model checker.
 *
 * One object. O owns it at first and B borrows it; P, and a late borrower C if there is one, have no part in it yet;
 * the node agent A has, or gets, one copy. Every process runs the same rules: anybody who owns the object may give it
 * away, take it back, borrow it, pass it on. As in borrowing.pml each step is one turn of one process, and the checker
 * tries every order of turns. The world:
 *
 *   sessions      one FIFO channel per ordered pair, exactly once while both ends live. What a dead process
 *                 had in flight arrives, or a prefix of it arrives, until the receiver sees the view;
 *   tokens        late, in any order. What else can happen to one is in borrowing.pml;
 *   membership    one stream of views and barriers; each process reads it at its own pace;
 *   crash         of anybody, at any moment; false suspicion: the excluded one works on, until it reads its view.
 *
 * What is checked: S4 to S7 at each step, no Gone and no OwnerDied without a cause, and a clean world in every end
 * state. README.md says what is left out. run.sh says with which parameters it runs.
 *
 * Every set of processes or handoffs is a bit mask. "Hidden" variables are scratch and not part of the state.
 */

/* ---- Parameters (all may be given as -D to spin) --------------------------------------------------------- */

#ifndef PROCESSES
#define PROCESSES 3         /* O, P, B; with 4 also C */
#endif
#ifndef HANDOFFS
#define HANDOFFS 1          /* references that are passed on, by anybody to anybody; at most 2 */
#endif
#ifndef TRANSFERS
#define TRANSFERS 1         /* the first one goes to P, later ones to anybody; at most 2 */
#endif
#ifndef HEIRS
#define HEIRS 0             /* how often an owner names an heir (step 15); each may be dismissed */
#endif
#ifndef EXCLUSIONS
#define EXCLUSIONS 1        /* crashes and false suspicions together, at most 2 */
#endif
#ifndef CAPACITY
#define CAPACITY 6          /* items in flight per session; running over is reported as an error */
#endif
#ifndef VICTIMS
#define VICTIMS EVERYONE    /* who may be excluded */
#endif
#ifndef SENDERS
#define SENDERS EVERYONE    /* who passes references on */
#endif
#ifndef RECEIVERS
#define RECEIVERS EVERYONE  /* ... and to whom */
#endif
/*
 * SUSPICION       an exclusion may also hit a live process, which works on until it reads its view.
 * NO_COPY         there is no copy anywhere. LATE_COPY: A gets it at any moment. Otherwise it has it from the start.
 * NO_REFUSAL      whoever is offered the object takes it.
 * NO_KEEPING      ... and its host holds it only if it did before.
 *
 * Rules removed, each of which must make the checker find a failure:
 * NO_WAIT_FOR_ANSWERS    Flushed is reported although a Moved is unanswered
 * NO_ENTRY_AFTER_SETTLED the former owner forgets the object when everybody has been told, not when it has ended
 * NO_IGNORED_RELEASE     the former owner tells the next one of a Release
 * NO_ANSWER_BEFORE_RELEASE  a Release counts although its sender has not answered Moved
 * NO_DROP_OF_CLOSED_IDS  the next owner lists borrowers whose barrier it has already seen
 * NO_WAIT_FOR_SETTLED    an object moves on before its former owner has acknowledged Settled
 * NO_HOLD_OF_TAKEN_BACK  what was taken back is not held until the barrier of the next owner
 * NO_TAKING_BACK         nothing is taken back
 * NO_WAIT_FOR_TAKEN      who asks while the answer is open is sent to the next owner at once
 * NO_MEMORY_OF_ASKERS    who asks while the answer is open, or until everybody is told, is not told of a return
 * NO_WORD_TO_RECEIVERS   whoever got the reference from the one who owns it now is not told by that one
 * NO_FORMER_LISTED       who gives the object away is not listed as its borrower
 * NO_UNLISTING           an answer "holds nothing" leaves the borrower listed
 * NO_RELEASE_OF_LISTED   an answer to a Register that was given up is ignored
 * NO_NEW_REGISTER        ... or confirms a reference that was registered anew, or came later
 * NO_REDIRECT_OF_NODES   the former owner answers a report with Free
 * NO_MOVE_TO_THE_DEAD    a node that is told by the former owner of a next one that is excluded ignores it
 * NO_REPORT_BEFORE_ANSWER  a node answers Moved, and reports its copy to the old owner only
 *
 * NO_WAIT_FOR_HEIR       a Register is answered although the heir does not know of the borrower
 * NO_INHERITING          an heir does nothing when the owner dies
 * NO_WAIT_FOR_DISMISSAL  an heir is none any more as soon as it was dismissed
 * NO_NEXT_SHADOW         ... and learns nothing after the first snapshot, but is answered for
 *
 * Removed as well, but not seen to fail in the rows of run.sh:
 * NO_TERM_AFTER          what is taken back is owned in the next owner's term, not in the one after
 * NO_ANSWER_BEFORE_REGISTER  a Register is answered although its sender has not answered Moved
 * NO_PASSING_ON          who got the reference from a borrower does not hear of the move
 */

/* ---- Sets ------------------------------------------------------------------------------------------------ */

#define O 0                 /* owns the object in term 1 */
#define P 1
#define B 2                 /* borrows it */
#define A PROCESSES         /* node agent, with one copy */
#define N (PROCESSES + 1)
#define NOBODY 7
#define EVERYONE ((1 << N) - 1)
#define ONE(i) (1 << (i))
#define HAS(set, i) (((set) >> (i)) & 1)
#define ADD(set, i) set = (set) | ONE(i)
#define DEL(set, i) set = (set) & ~ONE(i)

/* What an item says. */
#if PROCESSES > 3
#define SNAPSHOT_BITS 4
#define VALUE short
#else
#define SNAPSHOT_BITS 3
#define VALUE byte
#endif

/* ---- What a process knows of the object ------------------------------------------------------------------ */

#define NONE 0
#define QUEUED 1            /* a borrow: no Register has left */
#define OUTSTANDING 2       /* ... Register has left, its answer has not come */
#define CONFIRMED 3         /* ... the owner lists it; nothing holds it: Release waits */
#define MOVING 4            /* it was owned here, and its next owner has not answered */
#define OWNED 5
#define FREEING 6           /* it has ended here, and Free is not answered */
byte record[PROCESSES];
byte term[PROCESSES];       /* of the owner, be it this process or the next one */
byte owner[PROCESSES];      /* of a borrow: whom the process takes for the owner */
byte registering[PROCESSES];        /* number of the last Register */
byte flushing;              /* of a borrow: a view waits for the answer to its Register */
byte held;                  /* the host has a handle */
byte pins[PROCESSES];       /* handoffs of this process that have not ended */
byte owed[PROCESSES];       /* handoffs that brought it the reference, HandoffAck not yet sent */
byte awaited[PROCESSES];    /* dead next owners, until whose barriers it holds what it took back */

#define BORROWED(p) (record[p] >= QUEUED && record[p] <= MOVING)
#define HOLDS(p) (HAS(held, p) || pins[p] != 0 || awaited[p] != 0)

/* Of an owner: */
byte list[PROCESSES];       /* borrowers */
#define NO_COPY_KNOWN 0
#define HANDED_OVER 1       /* the snapshot says so; A has not */
#define REPORTED 2
byte copy_at[PROCESSES];    /* what it knows of A's copy */
byte telling[PROCESSES];    /* who has to answer its Moved */
byte before[PROCESSES];     /* ... and was listed before the latest view that it knows */
byte from[PROCESSES];       /* who handed it over and may take it back */
byte formers[PROCESSES];    /* the owners before */

/* Of a former owner: */
#define SENT 1              /* the Transfer is not answered */
#define TAKEN 2             /* the next owner has it, and tells everybody */
#define SETTLED 3           /* ... has told everybody */
byte stage[PROCESSES];
byte next[PROCESSES];       /* the next owner */
byte next_term[PROCESSES];
byte snap_list[PROCESSES], snap_formers[PROCESSES];     /* what was handed over */
byte snap_copy[PROCESSES];  /* A: not known, asks only, or has a copy */
byte asked[PROCESSES];      /* who has asked while the answer was open */
#define ASKS 1
#define HAS_COPY 2

byte transfers;             /* how many were tried */

#if HEIRS > 0
#define HEIR 4              /* a stage: next[] owns the object, in next_term[], and has named this one its heir */
/* Of an owner that has one: */
byte heir[PROCESSES];
byte prepared, dismissed, unanswered;   /* sets of owners: the heir has a snapshot; was dismissed; has not answered */
byte was_former;            /* ... of those whose heir answers for the object in any case */
VALUE shadow[PROCESSES];    /* the last snapshot that was sent; none if neither prepared nor unanswered */
byte waits[PROCESSES];      /* borrowers whose Register waits for the next snapshot */
byte waits_sent[PROCESSES]; /* ... for the answer to the last one */
byte waiting_number[PROCESSES];         /* by borrower: of its Register */
byte heirs;                 /* how many were named */
#endif

/* ---- The node agent -------------------------------------------------------------------------------------- */

bool copy;
bool produced;              /* it has had one */
byte copy_owner, copy_term; /* recorded with the copy */

/* ---- Handoffs -------------------------------------------------------------------------------------------- */

#if HANDOFFS > 0
#define HANDOFF_ARRAY HANDOFFS
#else
#define HANDOFF_ARRAY 1
#endif
byte made;
byte sender[HANDOFF_ARRAY], receiver[HANDOFF_ARRAY];
byte token_owner[HANDOFF_ARRAY], token_term[HANDOFF_ARRAY];
byte tokens;                /* in flight */

/* ---- Membership: as in borrowing.pml --------------------------------------------------------------------- */

#define VIEW(v) ((v) + 1)
#define BARRIER(v) ((v) + 16)
#if EXCLUSIONS > 0
#define VIEWS EXCLUSIONS
#else
#define VIEWS 1
#endif
byte stream[2 * VIEWS], streamed;
byte views, excludes[VIEWS];        /* view v excludes the process excludes[v] */
byte reported;              /* processes that have reported Flushed of the latest view */
byte excluded;              /* excluded by some view in the stream */
byte closed;                /* ... by a view which a barrier in the stream has closed */
byte stopped;               /* crashed, or has read its own exclusion */
byte faults;
byte position[N];           /* what this process has read of the stream */
byte fenced[N];             /* whom it knows to be excluded */
byte over[N];               /* ... and by a view whose barrier it has seen */

/* ---- For the oracle -------------------------------------------------------------------------------------- */

byte owners = ONE(O);       /* who has owned the object */
byte ended = NOBODY;        /* where it has ended */
byte let_go[PROCESSES];     /* the last term whose owner was told that the process holds nothing */
#if HEIRS > 0
byte promised;              /* who was confirmed by an owner that died and had a prepared heir, */
byte promised_by = NOBODY;  /* ... and that heir */
#endif
#define LET_GO(p, t) let_go[p] = (let_go[p] > (t) -> let_go[p] : (t))

/* ---- Sessions -------------------------------------------------------------------------------------------- */

#define REGISTER 1          /* number */
#define REGISTER_OK 2       /* number; term */
#define REGISTER_GONE 3     /* number */
#define RELEASE 4
#define HANDOFF_ACK 5       /* handoff */
#define TRANSFER 6          /* the snapshot; the next term */
#define TRANSFER_TAKEN 7    /* the next term */
#define TRANSFER_REFUSED 8  /* the next term */
#define MOVED 9             /* the owner; its term */
#define MOVED_ACK 10        /* whether it holds; term */
#define MOVED_SETTLED 11    /* term */
#define SETTLED_ACK 12      /* term */
#define MOVED_ENDED 13      /* term */
#define LOCATION 14         /* 1 added, 0 removed */
#define FREE 15
#define FREE_RESULT 16
#define RELEASE_OF 17       /* only under NO_IGNORED_RELEASE: the borrower */
#define SHADOW 18           /* the snapshot; the heir's term */
#define SHADOW_ACK 19       /* KEPT, NOT_KEPT or DISMISSED; the heir's term */
#define SHADOW_END 20       /* the heir's term */
#define NOT_KEPT 0
#define KEPT 1
#define DISMISSED 2
#define ITEM(kind, t) ((kind) * 8 + (t))
#define KIND(item) ((item) / 8)
#define TERM(item) ((item) % 8)
/* A snapshot: borrowers, what is known of A, former owners. */
#define SNAPSHOT(l, c, f) ((l) + ((c) << SNAPSHOT_BITS) + ((f) << (SNAPSHOT_BITS + 2)))
#define LIST_OF(s) ((s) % (1 << SNAPSHOT_BITS))
#define COPY_OF(s) (((s) >> SNAPSHOT_BITS) % 4)
#define FORMERS_OF(s) ((s) >> (SNAPSHOT_BITS + 2))

chan session[N * (N - 1)] = [CAPACITY] of { byte, VALUE };
#define SESSION(a, z) session[(a) * (N - 1) + ((z) > (a) -> (z) - 1 : (z))]

/* ---- Scratch --------------------------------------------------------------------------------------------- */

hidden byte item, event, what, arg, to, k, h, x, gone_ids;
hidden short value;
hidden byte eo, et;         /* an owner that is named, and its term */
hidden byte l, f, c, t;     /* a snapshot that is installed, and its term */
hidden byte who;
hidden byte ok, flag;
hidden byte acks, reply_to, reply, reply_term, reply_value;
hidden VALUE now_known;
hidden byte answers, answer, answer_term;

/* What the checker prints when an assert fails is the name of one of these. */
hidden byte S4_freed_only_when_nobody_holds;
hidden byte S5_one_active_owner;
hidden byte S6_no_copy_deleted_under_a_living_owner;
hidden byte S7_nothing_from_an_excluded_id_is_applied;
hidden byte no_Gone_without_a_cause, no_OwnerDied_without_a_cause, no_token_contradicts;
hidden byte S3_heir_knows_who_was_confirmed;
hidden byte item_is_expected_here;
hidden byte session_capacity_suffices;
hidden byte end_every_barrier_closed, end_every_record_removed, end_every_handoff_ended;
hidden byte end_transfer_ended, end_heirship_ended, end_no_copy_left, end_object_gone;

#define CHECK(name, truth) name = (truth); assert(name)

#define WORKING(p) (!HAS(stopped, p))
#define TRUSTED(p) (!HAS(stopped | excluded, p))
#define OWNS(p) (TRUSTED(p) && record[p] == OWNED)
#define HELD ((held & ~(stopped | excluded)) != 0)
/* The process that owns the object and is neither dead nor excluded, into `who`. */
#if PROCESSES > 3
#define TRUSTED_OWNER (OWNS(0) -> 0 : (OWNS(1) -> 1 : (OWNS(2) -> 2 : (OWNS(3) -> 3 : NOBODY))))
#else
#define TRUSTED_OWNER (OWNS(0) -> 0 : (OWNS(1) -> 1 : (OWNS(2) -> 2 : NOBODY)))
#endif

/* ---- Turns --------------------------------------------------------------------------------------------- */

/* A turn is a choice of what is done, with an argument, and then the deed. Nothing comes between the two. */
#define DELIVER 1           /* from arg */
#define REFUSE 2            /* ... a Transfer, which is refused */
#define KEEP 3              /* ... or taken with a handle */
#define IMPORT 4
#define DROP 5
#define SEND_REGISTER 6
#define SEND_RELEASE 7
#define EXPORT 8            /* to arg */
#define GIVE_AWAY 9         /* to arg */
#define READ 10
#define CRASHES 11
#define PRODUCE 12
#define NAMES_HEIR 13       /* arg */
#define DISMISSES 14

/* ---- Pieces of a turn ------------------------------------------------------------------------------------ */

/* Puts an item into the session a->z. The session is over once a knows that z is excluded; what z would
 * discard, because z has fenced a, is left out to keep the state small. */
inline send(a, z, kind, tm, vl) {
  if
  :: HAS(stopped, z) || HAS(fenced[a], z) || HAS(fenced[z], a) -> skip
  :: else ->
    CHECK(session_capacity_suffices, len(SESSION(a, z)) < CAPACITY);
    SESSION(a, z) ! ITEM(kind, tm), vl
  fi
}

/* What has brought the reference has served. The answers leave at the end of the turn: these, then `reply`. */
#define END_OWED(p) acks = acks | owed[p]; owed[p] = 0
#define REPLY(z, kind, tm, vl) reply_to = z; reply = kind; reply_term = tm; reply_value = vl

inline erase(p) {
  record[p] = NONE; term[p] = 0; owner[p] = 0; DEL(flushing, p)
}

/* The reference reports an error by name. What holds it is the host's, and is let go of. */
inline fail(p) {
  END_OWED(p);
  DEL(held, p);
  pins[p] = 0;
  erase(p)
}

/* q, the owner who lives, has told p that it lists it; or waits for p's word on a reference that it passed on itself. */
#define WAITS_FOR(q, p, n) (HAS(pins[q] & owed[p], n) && token_owner[n] == q)
#if HANDOFFS > 1
#define PASSED_ON(q, p) (WAITS_FOR(q, p, 0) || WAITS_FOR(q, p, 1))
#else
#define PASSED_ON(q, p) WAITS_FOR(q, p, 0)
#endif
#define KNOWS(q, p) (PASSED_ON(q, p) || \
    (HAS(list[q], p) && let_go[p] < term[q] && !(SESSION(q, p) ?? [eval(ITEM(REGISTER_OK, term[q])), _])))

inline fail_OwnerDied(p) {
#if HEIRS > 0
  CHECK(S3_heir_knows_who_was_confirmed,
        !TRUSTED(p) || !HOLDS(p) || !HAS(promised, p) || promised_by == NOBODY || !TRUSTED(promised_by));
#endif
  who = TRUSTED_OWNER;
  if
  :: TRUSTED(p) && HOLDS(p) ->
    ok = ((owners & excluded) != 0);
    if
    :: who != NOBODY -> ok = ok && HAS(excluded, owner[p]) && !KNOWS(who, p)
    :: else -> skip
    fi;
    CHECK(no_OwnerDied_without_a_cause, ok)
  :: else -> skip
  fi;
  printf("%d: reports OwnerDied\n", p);
  fail(p)
}

/* Whoever got the reference from p may not have been heard of by any owner. */
inline pass_on(p) {
#ifdef NO_PASSING_ON
  skip
#else
  for (h : 0 .. HANDOFF_ARRAY - 1) {
    if
    :: HAS(pins[p], h) && receiver[h] != owner[p] -> send(p, receiver[h], MOVED, term[p], owner[p])
    :: else -> skip
    fi
  }
#endif
}

/* A word names the owner eo in the term et. ok: it does not contradict what p knows of its borrow. */
inline follow(p) {
  if
  :: term[p] > et -> ok = true
  :: term[p] == et -> ok = (owner[p] == eo)
  :: term[p] < et && record[p] == MOVING -> ok = true
  :: else ->
    ok = true;
    if :: HAS(fenced[p], eo) -> DEL(flushing, p) :: else -> skip fi;
    record[p] = QUEUED; owner[p] = eo; term[p] = et;
    pass_on(p);
    if :: HAS(over[p], eo) -> fail_OwnerDied(p) :: else -> skip fi
  fi
}

/* eo says of itself that it owns the object, in the term et. ok: p holds it, and eo lists it. */
inline hear_from_owner(p) {
  ok = false;
  if
  :: !BORROWED(p) || term[p] > et || record[p] == MOVING || (term[p] == et && owner[p] != eo) -> skip
  :: else ->
    if
    :: !HOLDS(p) -> END_OWED(p); erase(p)
    :: else ->
      ok = true;
      flag = (term[p] < et);
      DEL(flushing, p);
      record[p] = CONFIRMED; owner[p] = eo; term[p] = et;
      END_OWED(p);
      if :: flag -> pass_on(p) :: else -> skip fi
    fi
  fi
}

/* q, who is not the owner, says so. What is confirmed waits for its owner's own word. */
inline hear_from_other(p, q) {
  ok = false;
  for (h : 0 .. HANDOFF_ARRAY - 1) {
    if :: HAS(owed[p], h) && sender[h] == q -> ok = true :: else -> skip fi
  }
  if
  :: record[p] == CONFIRMED || record[p] == MOVING || term[p] >= et || !(ok || owner[p] == q) -> skip
  :: else ->
    if
    :: HOLDS(p) -> follow(p)
    :: !HOLDS(p) && owner[p] == q -> END_OWED(p); erase(p)
    :: else -> skip
    fi
  fi
}

inline settle_if_told(p) {
  if
  :: telling[p] == 0 && from[p] != NOBODY && !HAS(fenced[p], from[p]) ->
    send(p, from[p], MOVED_SETTLED, term[p], 0)
  :: else -> skip
  fi
}

/* p owns the object: l, f, c and t are the snapshot and the term, x is who handed it over. */
inline install(p, x) {
  if :: BORROWED(p) -> END_OWED(p) :: else -> skip fi;
  DEL(flushing, p);
  record[p] = OWNED; owner[p] = 0; term[p] = t; from[p] = x;
  ADD(owners, p);
  list[p] = 0; formers[p] = 0; telling[p] = 0; before[p] = 0; copy_at[p] = NO_COPY_KNOWN;
  if
  :: c != 0 && !HAS(fenced[p], A) ->
    copy_at[p] = (c == HAS_COPY -> HANDED_OVER : NO_COPY_KNOWN);
    ADD(telling[p], A)
  :: else -> skip
  fi;
#ifndef NO_WORD_TO_RECEIVERS
  for (h : 0 .. HANDOFF_ARRAY - 1) {
    if :: HAS(pins[p], h) && !HAS(fenced[p], receiver[h]) -> ADD(l, receiver[h]) :: else -> skip fi
  }
#endif
  formers[p] = f & ~fenced[p];
#ifdef NO_DROP_OF_CLOSED_IDS
  list[p] = l | formers[p];
#else
  list[p] = (l & ~over[p]) | formers[p];
#endif
  telling[p] = telling[p] | (list[p] & ~fenced[p]);
  if
  :: x != NOBODY ->
    ADD(formers[p], x);
#ifndef NO_FORMER_LISTED
    ADD(list[p], x);
#endif
    DEL(telling[p], x)
  :: else -> skip
  fi;
  for (k : 0 .. N - 1) {
    if :: HAS(telling[p], k) -> send(p, k, MOVED, t, p) :: else -> skip fi
  }
  settle_if_told(p)
}

inline forget_former(p) {
  stage[p] = 0; next[p] = 0; next_term[p] = 0;
  snap_list[p] = 0; snap_formers[p] = 0; snap_copy[p] = 0; asked[p] = 0
}

/* The next owner refuses, or has died before everybody knew it. */
inline take_back(p, died) {
  printf("%d: takes the object back\n", p);
  l = snap_list[p]; f = snap_formers[p]; c = snap_copy[p]; t = next_term[p] + 1;
#ifdef NO_TERM_AFTER
  t = next_term[p];
#endif
#ifndef NO_MEMORY_OF_ASKERS
  l = l | (asked[p] & ~ONE(A));
  if :: HAS(asked[p], A) && c == 0 -> c = ASKS :: else -> skip fi;
#endif
#ifndef NO_HOLD_OF_TAKEN_BACK
  if :: died -> ADD(awaited[p], next[p]) :: else -> skip fi;
#endif
  forget_former(p);
  install(p, NOBODY)
}

/* q asks here for what is not owned here. ok: it was owned here, and q hears who owns it. */
inline redirect(p, q) {
#if HEIRS > 0
  ok = (stage[p] != 0 && !(stage[p] == HEIR && next_term[p] == 1));    /* which never owned it */
#else
  ok = (stage[p] != 0);
#endif
  if
  :: !ok -> skip
#ifdef NO_WAIT_FOR_TAKEN
  :: ok ->
#else
  :: ok && stage[p] == SENT -> ADD(asked[p], q)
  :: ok && stage[p] != SENT ->
#endif
#ifndef NO_MEMORY_OF_ASKERS
    if
    :: stage[p] <= TAKEN && q == A && snap_copy[p] == 0 -> snap_copy[p] = ASKS
    :: stage[p] <= TAKEN && q != A -> ADD(snap_list[p], q)
    :: else -> skip
    fi;
#endif
    send(p, q, MOVED, next_term[p], next[p])
  fi
}

#if HEIRS > 0
/* Whoever waits is answered at the end of the turn. */
#define ANSWER(set) answers = answers | (set); set = 0
#define ANSWER_ALL(p) ANSWER(waits[p]); ANSWER(waits_sent[p])

/* The heir is none any more: nothing waits for it. */
inline end_heirship(p) {
  ANSWER_ALL(p);
  heir[p] = NOBODY; shadow[p] = 0;
  DEL(prepared, p); DEL(dismissed, p); DEL(unanswered, p); DEL(was_former, p)
}

/* What p, the owner, would tell its heir now, into `now_known`: with whoever got the reference from here. */
inline look_at(p) {
  l = list[p];
  for (h : 0 .. HANDOFF_ARRAY - 1) {
    if :: HAS(pins[p], h) && !HAS(fenced[p], receiver[h]) -> ADD(l, receiver[h]) :: else -> skip fi
  }
  c = (copy_at[p] != NO_COPY_KNOWN -> HAS_COPY : 0);
  now_known = SNAPSHOT(l & ~ONE(heir[p]), c, formers[p] & ~ONE(heir[p]))
}
#define HAS_SHADOW(p) HAS(prepared | unanswered, p)

/* One snapshot at a time is on its way, and none that says what the heir knows. */
inline shadow_changes(p) {
  if
  :: record[p] == OWNED && heir[p] != NOBODY && !HAS(dismissed, p) && !HAS(unanswered, p) ->
    look_at(p);
    if
#ifdef NO_NEXT_SHADOW
    :: HAS_SHADOW(p) ->
#else
    :: HAS_SHADOW(p) && now_known == shadow[p] ->
#endif
      ANSWER(waits[p])
    :: else ->
      send(p, heir[p], SHADOW, term[p] + 1, now_known);
      shadow[p] = now_known;
      ADD(unanswered, p);
      waits_sent[p] = waits[p]; waits[p] = 0
    fi
  :: else -> skip
  fi
}

inline name_heir(p, z) {
  printf("%d: names %d the heir\n", p, z);
  heirs++;
  heir[p] = z;
  if :: HAS(formers[p], z) -> ADD(was_former, p) :: else -> skip fi;
  ADD(formers[p], z)                        /* it hears of the end of the object as they do */
}

inline dismiss(p) {
  printf("%d: dismisses its heir\n", p);
  ADD(dismissed, p);
  promised = 0;                             /* also by one that is excluded and has not read so */
  ANSWER_ALL(p);
  send(p, heir[p], SHADOW_END, term[p] + 1, 0);
#ifdef NO_WAIT_FOR_DISMISSAL
  end_heirship(p)
#endif
}

inline apply_shadow(p, q) {
  ok = (stage[p] != 0 && next[p] == q && next_term[p] == et - 1);
  if
  :: !(ok && stage[p] == HEIR) && (what == REFUSE || record[p] == OWNED || record[p] == FREEING ||
     (BORROWED(p) && (term[p] > et - 1 || (term[p] == et - 1 && owner[p] != q))) ||
     (stage[p] != 0 && stage[p] != SETTLED) || (stage[p] == SETTLED && !ok && next_term[p] >= et - 1)) ->
    REPLY(q, SHADOW_ACK, et, NOT_KEPT)
  :: else ->
    stage[p] = HEIR; next[p] = q; next_term[p] = et - 1; asked[p] = 0;
    snap_list[p] = LIST_OF(value); snap_copy[p] = COPY_OF(value); snap_formers[p] = FORMERS_OF(value);
    REPLY(q, SHADOW_ACK, et, KEPT)
  fi
}

inline apply_shadow_ack(p, q) {
  if
  :: (record[p] != OWNED && record[p] != FREEING) || heir[p] != q || et != term[p] + 1 ||
     (value == DISMISSED) != HAS(dismissed, p) -> skip
  :: else ->
    if
    :: value == KEPT ->
      ADD(prepared, p); DEL(unanswered, p);
      ANSWER(waits_sent[p])
    :: else ->
      if
      :: value == NOT_KEPT && !HAS(prepared, p) && !HAS(was_former, p) -> DEL(formers[p], q)
      :: else -> skip
      fi;
      end_heirship(p)
    fi
  fi
}

/* Who has owned it before goes on answering for it. */
inline apply_shadow_end(p, q) {
  if
  :: stage[p] == HEIR && next[p] == q && next_term[p] == et - 1 ->
    if
    :: et == 2 -> forget_former(p)
    :: else -> stage[p] = SETTLED; snap_list[p] = 0; snap_formers[p] = 0; snap_copy[p] = 0
    fi
  :: else -> skip
  fi;
  REPLY(q, SHADOW_ACK, et, DISMISSED)
}

/* p dies, or is excluded: who is promised that its heir takes over? */
inline promise(p) {
  if
  :: record[p] == OWNED && heir[p] != NOBODY && HAS(prepared, p) && !HAS(dismissed, p) ->
    promised = 0; promised_by = heir[p];
    for (k : 0 .. PROCESSES - 1) {
      if
      :: k != p && record[k] == CONFIRMED && owner[k] == p && term[k] == term[p] && HOLDS(k) -> ADD(promised, k)
      :: else -> skip
      fi
    }
  :: else -> skip
  fi
}
#define HAS_HEIR(p) (heir[p] != NOBODY)
#else
#define HAS_HEIR(p) false
#endif

/* The owner's record goes: nobody needs to ask for the object any more. */
inline end_record(p) {
  for (k : 0 .. PROCESSES - 1) {
    if :: HAS(formers[p], k) -> send(p, k, MOVED_ENDED, term[p], 0) :: else -> skip fi
  }
#if HEIRS > 0
  end_heirship(p);
#endif
  erase(p);
  list[p] = 0; copy_at[p] = NO_COPY_KNOWN; telling[p] = 0; before[p] = 0; from[p] = NOBODY; formers[p] = 0
}

/* What follows at once, in the same turn, from whatever p has just done. */
inline settle(p) {
  if
  :: p != A && record[p] == QUEUED && !HOLDS(p) -> END_OWED(p); erase(p)       /* a short borrow */
  :: else -> skip
  fi;
  if
  :: acks != 0 ->
    for (h : 0 .. HANDOFF_ARRAY - 1) {
      if :: HAS(acks, h) -> send(p, sender[h], HANDOFF_ACK, 0, h) :: else -> skip fi
    }
    acks = 0
  :: else -> skip
  fi;
  if
  :: reply_to != NOBODY -> send(p, reply_to, reply, reply_term, reply_value); reply_to = NOBODY
  :: else -> skip
  fi;
#if HEIRS > 0
  if :: p != A -> shadow_changes(p) :: else -> skip fi;
  answer = REGISTER_OK; answer_term = (p != A -> term[p] : 0);
#endif
  if
  :: p != A ->
    if
    :: record[p] == OWNED && !HOLDS(p) && list[p] == 0 ->
      printf("%d: the object ends\n", p);
      ended = p;
#if HEIRS > 0
      ANSWER_ALL(p); answer = REGISTER_GONE;
#endif
      if
      :: copy_at[p] != NO_COPY_KNOWN -> record[p] = FREEING; send(p, A, FREE, 0, 0)
      :: else -> end_record(p)
      fi
    :: else -> skip
    fi;
#if HEIRS > 0
    for (k : 0 .. PROCESSES - 1) {
      if :: HAS(answers, k) -> send(p, k, answer, answer_term, waiting_number[k]) :: else -> skip fi
    }
#endif
#ifdef NO_WAIT_FOR_ANSWERS
    ok = !HAS(flushing, p)
#else
    ok = !HAS(flushing, p) && before[p] == 0
#endif
  :: else -> ok = true
  fi;
  if
  :: views > 0 && ok && HAS(fenced[p], excludes[views - 1]) -> ADD(reported, p)
  :: else -> skip
  fi
}

#define BOTH_OWN(k, r) (WORKING(k) && WORKING(r) && record[k] == OWNED && record[r] == OWNED && \
    (term[k] == term[r] || (TRUSTED(k) && TRUSTED(r))))
/* Whoever still holds what has ended at an owner that lives has been told so, or holds it as that of a dead owner, for
 * whose barrier the one who ended it has waited. */
#define DANGLES(k) (k != ended && TRUSTED(k) && record[k] != NONE && record[k] != FREEING && HOLDS(k) && \
    !(BORROWED(k) && HAS(over[ended], owner[k])))

inline check_world() {
#if PROCESSES > 3
  CHECK(S5_one_active_owner, !(BOTH_OWN(0, 1) || BOTH_OWN(0, 2) || BOTH_OWN(1, 2) ||
                               BOTH_OWN(0, 3) || BOTH_OWN(1, 3) || BOTH_OWN(2, 3)));
  CHECK(S4_freed_only_when_nobody_holds, ended == NOBODY || !TRUSTED(ended) ||
                               !(DANGLES(0) || DANGLES(1) || DANGLES(2) || DANGLES(3)))
#else
  CHECK(S5_one_active_owner, !(BOTH_OWN(0, 1) || BOTH_OWN(0, 2) || BOTH_OWN(1, 2)));
  CHECK(S4_freed_only_when_nobody_holds, ended == NOBODY || !TRUSTED(ended) ||
                               !(DANGLES(0) || DANGLES(1) || DANGLES(2)))
#endif
}

/* p does nothing any more. What is on its way to it no longer matters, what is on its way from it stays in flight. */
inline stop(p) {
#if HEIRS > 0
  if :: p != A && !HAS(excluded, p) -> promise(p) :: else -> skip fi;
#endif
  ADD(stopped, p);
  position[p] = 0; fenced[p] = 0; over[p] = 0;
  for (k : 0 .. N - 1) {
    if
    :: k != p ->
      do
      :: len(SESSION(k, p)) > 0 -> SESSION(k, p) ? item, value
      :: else -> break
      od
    :: else -> skip
    fi
  }
  for (k : 0 .. HANDOFF_ARRAY - 1) {
    if :: HAS(tokens, k) && receiver[k] == p -> DEL(tokens, k) :: else -> skip fi
  }
  if
  :: p == A -> copy = false; copy_owner = 0; copy_term = 0; produced = true
  :: else ->
    erase(p);
    DEL(held, p); registering[p] = 0; let_go[p] = 0; pins[p] = 0; owed[p] = 0; awaited[p] = 0;
    list[p] = 0; copy_at[p] = 0; telling[p] = 0; before[p] = 0; from[p] = NOBODY; formers[p] = 0;
#if HEIRS > 0
    waits[p] = 0; waits_sent[p] = 0; end_heirship(p);
#endif
    forget_former(p)
  fi
}

/* ---- An item reaches p from q ---------------------------------------------------------------------------- */

#define NEVER_OWNED_BY_THE_DEAD ((owners & (stopped | excluded)) == 0)

inline fail_Gone(p) {
  CHECK(no_Gone_without_a_cause, !TRUSTED(p) || !HOLDS(p) ||
        (TRUSTED_OWNER == NOBODY && (owners & excluded) != 0));
  printf("%d: reports Gone\n", p);
  fail(p)
}

inline apply_register(p, q) {
  if
#ifndef NO_ANSWER_BEFORE_REGISTER
  :: record[p] == OWNED && HAS(telling[p], q) -> skip           /* Moved answers it */
  :: record[p] == OWNED && !HAS(telling[p], q) ->
#else
  :: record[p] == OWNED ->
#endif
    ADD(list[p], q);
#if HEIRS > 0 && !defined(NO_WAIT_FOR_HEIR)
    if
    :: heir[p] != NOBODY && !HAS(dismissed, p) ->
      look_at(p);
      waiting_number[q] = value;
      DEL(waits[p], q); DEL(waits_sent[p], q);
      if
      :: !HAS_SHADOW(p) || now_known != shadow[p] -> ADD(waits[p], q)
      :: else ->
        if
        :: HAS(unanswered, p) -> ADD(waits_sent[p], q)
        :: else -> REPLY(q, REGISTER_OK, term[p], value)
        fi
      fi
    :: else -> REPLY(q, REGISTER_OK, term[p], value)
    fi
#else
    REPLY(q, REGISTER_OK, term[p], value)
#endif
  :: else ->
    redirect(p, q);
    if :: ok -> skip :: else -> REPLY(q, REGISTER_GONE, 1, value) fi
  fi
}

inline apply_registered(p, q) {
  if
  :: BORROWED(p) && owner[p] == q && record[p] == OUTSTANDING && registering[p] == value ->
    if
    :: KIND(item) == REGISTER_GONE -> fail_Gone(p)
    :: else ->
      if :: et > term[p] -> term[p] = et :: else -> skip fi;
      DEL(flushing, p);
      record[p] = CONFIRMED;
      END_OWED(p)
    fi
#ifndef NO_RELEASE_OF_LISTED
  :: KIND(item) == REGISTER_OK && et != 1 &&
     !(BORROWED(p) && owner[p] == q && record[p] == OUTSTANDING && registering[p] == value) ->
    eo = q;
    if
#ifdef NO_NEW_REGISTER
    :: BORROWED(p) || record[p] == NONE ->
      hear_from_owner(p);
      if :: !ok && record[p] == NONE -> LET_GO(p, et); REPLY(q, RELEASE, et, 0) :: else -> skip fi
#else
    :: record[p] == NONE -> LET_GO(p, et); REPLY(q, RELEASE, et, 0)
    :: BORROWED(p) && record[p] != MOVING && ((owner[p] != q && term[p] < et) || (owner[p] == q && record[p] == QUEUED)) ->
      if
      :: HOLDS(p) ->
        follow(p);
        record[p] = OUTSTANDING;
        registering[p]++;
        REPLY(q, REGISTER, et, registering[p])
      :: else -> END_OWED(p); erase(p); LET_GO(p, et); REPLY(q, RELEASE, et, 0)
      fi
#endif
    :: else -> skip                                             /* its own Register is not answered yet */
    fi
#endif
  :: else -> skip
  fi
}

inline apply_transfer_answer(p, q) {
  if
  :: stage[p] == SENT && next[p] == q && next_term[p] == et ->
    if
    :: KIND(item) == TRANSFER_REFUSED -> take_back(p, false)
    :: else ->
      for (k : 0 .. N - 1) {
        if
        :: HAS(asked[p], k) ->
#ifndef NO_MEMORY_OF_ASKERS
          if
          :: k != A -> ADD(snap_list[p], k)
          :: k == A && snap_copy[p] == 0 -> snap_copy[p] = ASKS
          :: else -> skip
          fi;
#endif
          send(p, k, MOVED, next_term[p], q)
        :: else -> skip
        fi
      }
      asked[p] = 0;
      stage[p] = TAKEN;
      pass_on(p);
      record[p] = CONFIRMED;
      END_OWED(p)
    fi
  :: else -> skip
  fi
}

inline apply_transfer(p, q) {
  if
  :: what == REFUSE || record[p] == OWNED || record[p] == FREEING || (stage[p] != 0 && stage[p] != SETTLED) ->
    REPLY(q, TRANSFER_REFUSED, et, 0)
  :: else ->
    send(p, q, TRANSFER_TAKEN, et, 0);
    forget_former(p);
    l = LIST_OF(value); f = FORMERS_OF(value); c = COPY_OF(value); t = et;
    if :: what == KEEP -> ADD(held, p) :: else -> skip fi;
    install(p, q)
  fi
}

inline apply_moved(p, q) {
  eo = value;
  if
  :: eo == p || record[p] == OWNED || record[p] == FREEING -> skip
  :: else ->
    if
    :: stage[p] == SETTLED && next_term[p] < et -> next[p] = eo; next_term[p] = et
    :: else -> skip
    fi;
    if
    :: eo == q ->
      hear_from_owner(p);
      if :: !ok -> LET_GO(p, et) :: else -> skip fi;
      REPLY(q, MOVED_ACK, et, ok)
    :: eo != q && BORROWED(p) -> hear_from_other(p, q)
    :: else -> skip
    fi
  fi
}

inline apply_moved_ack(p, q) {
  if
  :: (record[p] == OWNED || record[p] == FREEING) && term[p] == et && HAS(telling[p], q) ->
    DEL(telling[p], q); DEL(before[p], q);
    settle_if_told(p);
    if
    :: q == A && copy_at[p] == HANDED_OVER && record[p] == OWNED -> copy_at[p] = NO_COPY_KNOWN
    :: q != A && value == 1 && record[p] == OWNED -> ADD(list[p], q)
#ifndef NO_UNLISTING
    :: q != A && value == 0 -> DEL(list[p], q)
#endif
    :: else -> skip
    fi
  :: else -> skip
  fi
}

inline apply_location(p) {
  if
  :: record[p] == OWNED -> copy_at[p] = (value == 1 -> REPORTED : NO_COPY_KNOWN)
  :: record[p] == FREEING || value == 0 -> skip                 /* the answer to Free settles it */
  :: else ->
#ifdef NO_REDIRECT_OF_NODES
    ok = false;
#else
    redirect(p, A);
#endif
    if :: !ok && !BORROWED(p) -> REPLY(A, FREE, 0, 0) :: else -> skip fi
  fi
}

inline apply(p, q) {
  if
  :: KIND(item) == REGISTER -> apply_register(p, q)
  :: KIND(item) == REGISTER_OK || KIND(item) == REGISTER_GONE -> apply_registered(p, q)
  :: KIND(item) == RELEASE ->
    if
#ifdef NO_ANSWER_BEFORE_RELEASE
    :: record[p] == OWNED -> DEL(list[p], q)
#else
    :: record[p] == OWNED && !HAS(telling[p], q) -> DEL(list[p], q)
#endif
#ifdef NO_IGNORED_RELEASE
    :: stage[p] >= TAKEN -> send(p, next[p], RELEASE_OF, 0, q)
#endif
    :: else -> skip
    fi
  :: KIND(item) == RELEASE_OF -> if :: record[p] == OWNED -> DEL(list[p], value) :: else -> skip fi
  :: KIND(item) == HANDOFF_ACK -> DEL(pins[p], value)
  :: KIND(item) == TRANSFER -> apply_transfer(p, q)
  :: KIND(item) == TRANSFER_TAKEN || KIND(item) == TRANSFER_REFUSED -> apply_transfer_answer(p, q)
  :: KIND(item) == MOVED -> apply_moved(p, q)
  :: KIND(item) == MOVED_ACK -> apply_moved_ack(p, q)
  :: KIND(item) == MOVED_SETTLED ->
    if
    :: stage[p] == TAKEN && next[p] == q && next_term[p] == et ->
      stage[p] = SETTLED; snap_list[p] = 0; snap_formers[p] = 0; snap_copy[p] = 0;
#ifdef NO_ENTRY_AFTER_SETTLED
      forget_former(p)
#endif
    :: else -> skip
    fi;
    REPLY(q, SETTLED_ACK, et, 0)
  :: KIND(item) == SETTLED_ACK ->
    if
    :: (record[p] == OWNED || record[p] == FREEING) && from[p] == q && term[p] == et -> from[p] = NOBODY
    :: else -> skip
    fi
  :: KIND(item) == MOVED_ENDED ->
    if
#if HEIRS > 0
    :: stage[p] == HEIR && next[p] != q -> skip
#endif
    :: stage[p] >= TAKEN && (next_term[p] < et || (next_term[p] == et && next[p] == q)) -> forget_former(p)
    :: else -> skip
    fi
  :: KIND(item) == LOCATION -> apply_location(p)
  :: KIND(item) == FREE_RESULT -> if :: record[p] == FREEING -> end_record(p) :: else -> skip fi
#if HEIRS > 0
  :: KIND(item) == SHADOW -> apply_shadow(p, q)
  :: KIND(item) == SHADOW_ACK -> apply_shadow_ack(p, q)
  :: KIND(item) == SHADOW_END -> apply_shadow_end(p, q)
#endif
  fi
}

inline delete_copy() {
  copy = false; copy_owner = 0; copy_term = 0
}

inline settle_orphan() {
  if
  :: copy && HAS(over[A], copy_owner) ->
    who = TRUSTED_OWNER;
    CHECK(S6_no_copy_deleted_under_a_living_owner, !TRUSTED(A) || who == NOBODY || copy_at[who] == NO_COPY_KNOWN || !HELD);
    printf("A: deletes the copy, its owner died\n");
    delete_copy()
  :: else -> skip
  fi
}

inline apply_agent(q) {
  if
  :: KIND(item) == MOVED ->
    eo = value;
    if
#ifdef NO_MOVE_TO_THE_DEAD
    :: HAS(fenced[A], eo) -> skip
#else
    :: HAS(fenced[A], eo) ->
      if
      :: copy && copy_term < et && copy_owner == q -> copy_owner = eo; copy_term = et; settle_orphan()
      :: else -> skip
      fi
#endif
    :: else ->
      if
      :: copy && copy_term < et && (eo == q || copy_owner == q) ->
        copy_owner = eo; copy_term = et;
#ifndef NO_REPORT_BEFORE_ANSWER
        send(A, eo, LOCATION, 0, 1)
#endif
      :: else -> skip
      fi;
      if :: eo == q -> REPLY(q, MOVED_ACK, et, copy) :: else -> skip fi
    fi
  :: KIND(item) == FREE ->
    if
    :: copy && copy_owner == q ->
      CHECK(S6_no_copy_deleted_under_a_living_owner, !TRUSTED(A) || HAS(excluded, q) || TRUSTED_OWNER == NOBODY || !HELD);
      printf("A: deletes the copy, it was freed\n");
      delete_copy()
    :: else -> skip
    fi;
    REPLY(q, FREE_RESULT, 0, 0)
  fi
}

inline tell_item(p, q) {
  if
  :: KIND(item) == REGISTER -> printf("%d: gets Register from %d\n", p, q)
  :: KIND(item) == REGISTER_OK -> printf("%d: gets RegisterAck(Ok) from %d, term %d\n", p, q, et)
  :: KIND(item) == REGISTER_GONE -> printf("%d: gets RegisterAck(Gone) from %d\n", p, q)
  :: KIND(item) == RELEASE -> printf("%d: gets Release from %d\n", p, q)
  :: KIND(item) == RELEASE_OF -> printf("%d: gets the Release of %d from %d\n", p, value, q)
  :: KIND(item) == HANDOFF_ACK -> printf("%d: gets HandoffAck from %d\n", p, q)
  :: KIND(item) == TRANSFER && what != REFUSE -> printf("%d: gets Transfer from %d, term %d\n", p, q, et)
  :: KIND(item) == TRANSFER && what == REFUSE -> printf("%d: gets Transfer from %d, and refuses\n", p, q)
  :: KIND(item) == TRANSFER_TAKEN -> printf("%d: gets TransferAck(Taken) from %d\n", p, q)
  :: KIND(item) == TRANSFER_REFUSED -> printf("%d: gets TransferAck(Refused) from %d\n", p, q)
  :: KIND(item) == MOVED -> printf("%d: gets Moved from %d: the owner is %d, term %d\n", p, q, value, et)
  :: KIND(item) == MOVED_ACK -> printf("%d: gets MovedAck(%d) from %d\n", p, value, q)
  :: KIND(item) == MOVED_SETTLED -> printf("%d: gets Settled from %d\n", p, q)
  :: KIND(item) == SETTLED_ACK -> printf("%d: gets SettledAck from %d\n", p, q)
  :: KIND(item) == MOVED_ENDED -> printf("%d: gets MovedEnded from %d\n", p, q)
  :: KIND(item) == LOCATION -> printf("%d: gets Location(%d) from %d\n", p, value, q)
  :: KIND(item) == FREE -> printf("%d: gets Free from %d\n", p, q)
  :: KIND(item) == FREE_RESULT -> printf("%d: gets FreeResult from %d\n", p, q)
  :: KIND(item) == SHADOW -> printf("%d: gets Shadow from %d, term %d\n", p, q, et)
  :: KIND(item) == SHADOW_ACK -> printf("%d: gets ShadowAck(%d) from %d\n", p, value, q)
  :: KIND(item) == SHADOW_END -> printf("%d: gets ShadowEnd from %d\n", p, q)
  fi
}

inline receive(p, q) {
  SESSION(q, p) ? item, value;
  et = TERM(item);
  tell_item(p, q);
  CHECK(S7_nothing_from_an_excluded_id_is_applied, !HAS(fenced[p], q))
}

/* ---- A token reaches its receiver ------------------------------------------------------------------------ */

#define TAKES 0
#define IS_GONE 1
#define HAS_DIED 2
#define CONTRADICTS 3

inline import(p, n) {
  DEL(tokens, n);
  if
  :: HAS(fenced[p], sender[n]) -> skip                         /* refused */
  :: else ->
    printf("%d: token %d arrives\n", p, n);
    eo = token_owner[n]; et = token_term[n];
    x = TAKES;
    if
    :: record[p] == OWNED -> if :: eo != p && term[p] <= et -> x = CONTRADICTS :: else -> skip fi
    :: record[p] == FREEING -> x = (eo != p && term[p] <= et -> CONTRADICTS : IS_GONE)
    :: record[p] == NONE ->
      if :: stage[p] != 0 && next_term[p] > et -> eo = next[p]; et = next_term[p] :: else -> skip fi;
      if
      :: eo == p -> x = IS_GONE
      :: eo != p && HAS(over[p], eo) -> x = HAS_DIED
      :: else -> record[p] = QUEUED; owner[p] = eo; term[p] = et
      fi
    :: else ->
      if
      :: eo == p && term[p] <= et -> x = CONTRADICTS
      :: eo != p && term[p] < et && HAS(over[p], eo) -> x = HAS_DIED
      :: else ->
        if :: eo == p -> ok = true :: else -> follow(p); x = (ok -> TAKES : CONTRADICTS) fi
      fi
    fi;
    if
    :: x == TAKES ->
      ADD(held, p);
      if
      :: record[p] >= CONFIRMED -> ADD(acks, n)
      :: else -> ADD(owed[p], n)
      fi
    :: else ->
      who = TRUSTED_OWNER;
      CHECK(no_token_contradicts, x != CONTRADICTS || !TRUSTED(p) || !TRUSTED(sender[n]));
      CHECK(no_Gone_without_a_cause, x != IS_GONE || !TRUSTED(p) || !TRUSTED(sender[n]) ||
            (who == NOBODY && (owners & excluded) != 0));
      CHECK(no_OwnerDied_without_a_cause, x != HAS_DIED || (owners & excluded) != 0);
      ADD(acks, n)
    fi
  fi
}

inline export(p, z) {
  printf("%d: exports to %d\n", p, z);
  ADD(pins[p], made);
  sender[made] = p; receiver[made] = z;
  if
  :: record[p] == OWNED -> token_owner[made] = p; token_term[made] = term[p]
  :: record[p] == MOVING -> token_owner[made] = p; token_term[made] = term[p] - 1
  :: else -> token_owner[made] = owner[p]; token_term[made] = term[p]
  fi;
  if
  :: HAS(stopped, z) || HAS(fenced[z], p) -> skip
  :: else -> ADD(tokens, made)
  fi;
  made++
}

/* ---- p gives the object away to z ------------------------------------------------------------------------ */

#ifdef NO_WAIT_FOR_SETTLED
#define MOVABLE(p) (record[p] == OWNED)
#else
#define MOVABLE(p) (record[p] == OWNED && !HAS_HEIR(p) && telling[p] == 0 && (from[p] == NOBODY || HAS(fenced[p], from[p])))
#endif

inline give_away(p, z) {
  printf("%d: gives the object to %d\n", p, z);
  transfers++;
  stage[p] = SENT; next[p] = z; next_term[p] = term[p] + 1;
  snap_list[p] = list[p]; snap_formers[p] = formers[p];
  snap_copy[p] = (copy_at[p] != NO_COPY_KNOWN -> HAS_COPY : 0);
  send(p, z, TRANSFER, next_term[p], SNAPSHOT(list[p] & ~ONE(z), snap_copy[p], formers[p] & ~ONE(z)));
  record[p] = MOVING; owner[p] = z; term[p] = next_term[p];
  list[p] = 0; copy_at[p] = NO_COPY_KNOWN; telling[p] = 0; before[p] = 0; from[p] = NOBODY; formers[p] = 0
}

/* ---- p reads the next event of the membership stream ----------------------------------------------------- */

inline read_view(p) {
  ADD(fenced[p], x);
  do
  :: len(SESSION(x, p)) > 0 -> SESSION(x, p) ? item, value
  :: else -> break
  od;
  if
  :: p != A ->
    if :: BORROWED(p) && owner[p] == x -> DEL(flushing, p) :: else -> skip fi;
    for (h : 0 .. HANDOFF_ARRAY - 1) {
      if
      :: HAS(owed[p], h) && sender[h] == x ->
        DEL(owed[p], h);
        if :: !HAS(fenced[p], owner[p]) -> ADD(flushing, p) :: else -> skip fi
      :: else -> skip
      fi
    }
    if
    :: x == A && record[p] == OWNED -> copy_at[p] = NO_COPY_KNOWN
    :: x == A && record[p] == FREEING -> end_record(p)
    :: else -> skip
    fi;
#ifndef NO_TAKING_BACK
    if
    :: (stage[p] == SENT || stage[p] == TAKEN) && next[p] == x -> take_back(p, true)
    :: else -> skip
    fi;
#endif
#if HEIRS > 0
    if :: heir[p] == x -> end_heirship(p) :: else -> skip fi;
    if
#ifdef NO_INHERITING
    :: stage[p] == HEIR && next[p] == x -> forget_former(p)
#else
    :: stage[p] == HEIR && next[p] == x -> take_back(p, true)
#endif
    :: else -> skip
    fi;
#endif
    if
    :: HAS(telling[p], x) -> DEL(telling[p], x); settle_if_told(p)
    :: else -> skip
    fi;
    DEL(formers[p], x);
    before[p] = telling[p]
  :: else -> skip
  fi
}

/* Only now do the entries of the dead go, and the pins for them. */
inline close_exclusions(p) {
  over[p] = over[p] | gone_ids;
  if
  :: p == A -> settle_orphan()
  :: else ->
    if :: stage[p] == SETTLED && HAS(gone_ids, next[p]) -> forget_former(p) :: else -> skip fi;
    awaited[p] = awaited[p] & ~gone_ids;
    list[p] = list[p] & ~gone_ids;
    for (h : 0 .. HANDOFF_ARRAY - 1) {
      if :: HAS(pins[p], h) && HAS(gone_ids, receiver[h]) -> DEL(pins[p], h) :: else -> skip fi
    }
    if :: BORROWED(p) && HAS(gone_ids, owner[p]) -> fail_OwnerDied(p) :: else -> skip fi
  fi
}

inline read_membership(p) {
  printf("%d: reads event %d of the membership stream\n", p, position[p]);
  event = stream[position[p]];
  position[p]++;
  if
  :: event < BARRIER(0) ->
    to = excludes[event - VIEW(0)];
    x = to;
    if
    :: x == p -> stop(p)
    :: else -> read_view(p)
    fi
  :: else ->
    gone_ids = 0;
    for (k : 0 .. event - BARRIER(0)) { ADD(gone_ids, excludes[k]) }
    close_exclusions(p)
  fi
}

/* ---- The processes --------------------------------------------------------------------------------------- */

#define MAY(guard, deed, argument) :: WORKING(p) && (guard) -> what = deed; arg = argument;

#define WAITS(q, p) (q != p && len(SESSION(q, p)) > 0)
#define TRANSFER_WAITS(q, p) (q != p && len(SESSION(q, p)) > 0 && ( \
    SESSION(q, p) ? [eval(ITEM(TRANSFER, 2)), _] || SESSION(q, p) ? [eval(ITEM(TRANSFER, 3)), _] || \
    SESSION(q, p) ? [eval(ITEM(TRANSFER, 4)), _] || SESSION(q, p) ? [eval(ITEM(TRANSFER, 5)), _]))
#define SHADOW_WAITS(q, p) (q != p && len(SESSION(q, p)) > 0 && stage[p] != HEIR && ( \
    SESSION(q, p) ? [eval(ITEM(SHADOW, 2)), _] || SESSION(q, p) ? [eval(ITEM(SHADOW, 3)), _] || \
    SESSION(q, p) ? [eval(ITEM(SHADOW, 4)), _] || SESSION(q, p) ? [eval(ITEM(SHADOW, 5)), _]))
#define IN_SCOPE(p) (HOLDS(p) && record[p] != NONE && record[p] != FREEING)
#define MAY_EXPORT(p, z) (z != p && made < HANDOFFS && IN_SCOPE(p) && !HAS(fenced[p], z) && \
    HAS(SENDERS, p) && HAS(RECEIVERS, z))
#define MAY_NAME(p, z) (z != p && heirs < HEIRS && MOVABLE(p) && awaited[p] == 0 && !HAS(fenced[p], z))
#define MAY_GIVE(p, z) (z != p && transfers < TRANSFERS && MOVABLE(p) && !HAS(fenced[p], z) && \
    (transfers > 0 || z == P))

#ifdef NO_REFUSAL
#define REFUSALS(p)
#else
#if HEIRS > 0
#define IS_OFFERED(q, p) (TRANSFER_WAITS(q, p) || SHADOW_WAITS(q, p))
#else
#define IS_OFFERED(q, p) TRANSFER_WAITS(q, p)
#endif
#define REFUSALS(p) \
  MAY(IS_OFFERED(0, p), REFUSE, 0) MAY(IS_OFFERED(1, p), REFUSE, 1) MAY(IS_OFFERED(2, p), REFUSE, 2)
#endif
#ifdef NO_KEEPING
#define KEEPINGS(p)
#else
#define KEEPINGS(p) \
  MAY(TRANSFER_WAITS(0, p), KEEP, 0) MAY(TRANSFER_WAITS(1, p), KEEP, 1) MAY(TRANSFER_WAITS(2, p), KEEP, 2)
#endif
#if EXCLUSIONS > 0
#define MEMBERSHIP(p) \
  MAY(position[p] < streamed, READ, 0) \
  MAY(faults < EXCLUSIONS && !HAS(excluded, p) && HAS(VICTIMS, p), CRASHES, 0)
#else
#define MEMBERSHIP(p)
#endif

inline act(p) {
  if
  :: what == IMPORT -> import(p, arg)
  :: what == DROP -> printf("%d: drops its handle\n", p); DEL(held, p)
  :: what == SEND_REGISTER ->
    printf("%d: sends Register to %d\n", p, owner[p]);
    record[p] = OUTSTANDING;
    registering[p]++;
    send(p, owner[p], REGISTER, term[p], registering[p])
  :: what == SEND_RELEASE ->
    printf("%d: sends Release to %d\n", p, owner[p]);
    LET_GO(p, term[p]);
    send(p, owner[p], RELEASE, term[p], 0);
    erase(p)
  :: what == EXPORT -> export(p, arg)
  :: what == GIVE_AWAY -> give_away(p, arg)
#if HEIRS > 0
  :: what == NAMES_HEIR -> name_heir(p, arg)
  :: what == DISMISSES -> dismiss(p)
#endif
  :: what == READ -> read_membership(p)
  :: what == CRASHES -> printf("%d: crashes\n", p); faults++; stop(p)
  fi
}

proctype Process(byte p) {
end:
  do
  :: atomic {
    if
    MAY(WAITS(0, p), DELIVER, 0)
    MAY(WAITS(1, p), DELIVER, 1)
    MAY(WAITS(2, p), DELIVER, 2)
    MAY(WAITS(3, p), DELIVER, 3)
#if PROCESSES > 3
    MAY(WAITS(4, p), DELIVER, 4)
#endif
    REFUSALS(p)
    KEEPINGS(p)
#if HANDOFFS > 0
    MAY(HAS(tokens, 0) && receiver[0] == p, IMPORT, 0)
#endif
#if HANDOFFS > 1
    MAY(HAS(tokens, 1) && receiver[1] == p, IMPORT, 1)
#endif
    MAY(HAS(held, p), DROP, 0)
    MAY(record[p] == QUEUED && !HAS(fenced[p], owner[p]), SEND_REGISTER, 0)
    MAY(record[p] == CONFIRMED && !HOLDS(p) && !HAS(fenced[p], owner[p]), SEND_RELEASE, 0)
#if HANDOFFS > 0
    MAY(MAY_EXPORT(p, 0), EXPORT, 0)
    MAY(MAY_EXPORT(p, 1), EXPORT, 1)
    MAY(MAY_EXPORT(p, 2), EXPORT, 2)
#if PROCESSES > 3
    MAY(MAY_EXPORT(p, 3), EXPORT, 3)
#endif
#endif
    MAY(MAY_GIVE(p, 0), GIVE_AWAY, 0)
    MAY(MAY_GIVE(p, 1), GIVE_AWAY, 1)
    MAY(MAY_GIVE(p, 2), GIVE_AWAY, 2)
#if HEIRS > 0
    MAY(MAY_NAME(p, 0), NAMES_HEIR, 0)
    MAY(MAY_NAME(p, 1), NAMES_HEIR, 1)
    MAY(MAY_NAME(p, 2), NAMES_HEIR, 2)
    MAY(record[p] == OWNED && HAS_HEIR(p) && !HAS(dismissed, p), DISMISSES, 0)
#endif
    MEMBERSHIP(p)
    fi;
    d_step { acks = 0; answers = 0; reply_to = NOBODY };
    if                                  /* nothing comes between: one step of all would be longer than SPIN takes */
    :: what <= KEEP -> d_step { receive(p, arg); apply(p, arg) }
    :: else -> d_step { act(p) }
    fi;
    d_step {
#if HEIRS > 0
      if :: record[p] == NONE -> DEL(promised, p) :: else -> skip fi;
#endif
      if :: WORKING(p) -> settle(p) :: else -> skip fi;
      check_world()
    }
  }
  od
}

proctype Agent(byte p) {
end:
  do
  :: atomic {
    if
    MAY(WAITS(0, A), DELIVER, 0)
    MAY(WAITS(1, A), DELIVER, 1)
    MAY(WAITS(2, A), DELIVER, 2)
#if PROCESSES > 3
    MAY(WAITS(3, A), DELIVER, 3)
#endif
    MAY(!produced && !HAS(fenced[A], O), PRODUCE, 0)
    MEMBERSHIP(A)
    fi;
    d_step {
      acks = 0; answers = 0; reply_to = NOBODY;
      if
      :: what == DELIVER -> receive(A, arg); apply_agent(arg)
      :: what == PRODUCE ->
        printf("A: has a copy, sends Location\n");
        produced = true; copy = true; copy_owner = O; copy_term = 1;
        send(A, O, LOCATION, 0, 1)
      :: what == READ -> read_membership(A)
      :: what == CRASHES -> printf("%d: crashes\n", A); faults++; stop(A)
      fi;
      if :: WORKING(A) -> settle(A) :: else -> skip fi;
      check_world()
    }
  }
  od
}

/* ---- Membership ------------------------------------------------------------------------------------------ */

inline exclude(p) {
  printf("membership: view %d excludes %d\n", views + 1, p);
#if HEIRS > 0
  if :: p != A && !HAS(stopped, p) -> promise(p) :: else -> skip fi;
#endif
  reported = 0;                       /* the barrier of an older view will not come alone */
  excludes[views] = p;
  stream[streamed] = VIEW(views);
  streamed++;
  views++;
  ADD(excluded, p)
}

inline announce_barrier() {
  printf("membership: barrier(%d)\n", views);
  stream[streamed] = BARRIER(views - 1);
  streamed++;
  closed = excluded
}

#ifdef SUSPICION
#define EXCLUSION(p) :: d_step { !HAS(excluded, p) && HAS(VICTIMS, p) && (HAS(stopped, p) || faults < EXCLUSIONS) -> \
    if :: HAS(stopped, p) -> skip :: else -> faults++ fi; exclude(p) }
#else
#define EXCLUSION(p) :: d_step { !HAS(excluded, p) && HAS(stopped, p) -> exclude(p) }
#endif

proctype World() {
end:
  do
#if EXCLUSIONS > 0
  EXCLUSION(0)
  EXCLUSION(1)
  EXCLUSION(2)
  EXCLUSION(3)
#if PROCESSES > 3
  EXCLUSION(4)
#endif
  :: d_step { closed != excluded && ((reported | excluded) == EVERYONE) -> announce_barrier() }
#else
  :: false -> skip
#endif
  od
}

/* ---- The end: when nothing can happen any more, nothing may be left -------------------------------------- */

proctype End() {
  timeout ->
  d_step {
    CHECK(end_every_barrier_closed, (stopped & ~excluded) == 0 && closed == excluded);
    CHECK(end_object_gone, (owners & excluded) != 0 || ended != NOBODY);
    for (k : 0 .. PROCESSES - 1) {
      if
      :: WORKING(k) ->
        CHECK(end_every_record_removed, record[k] == NONE && list[k] == 0);
        CHECK(end_every_handoff_ended, pins[k] == 0 && owed[k] == 0);
        CHECK(end_transfer_ended, stage[k] == 0 && telling[k] == 0 && awaited[k] == 0);
#if HEIRS > 0
        CHECK(end_heirship_ended, heir[k] == NOBODY && waits[k] == 0 && waits_sent[k] == 0)
#endif
      :: else -> skip
      fi
    }
    if :: WORKING(A) -> CHECK(end_no_copy_left, !copy) :: else -> skip fi
  }
}

init {
  d_step {
    record[O] = OWNED; term[O] = 1;
    record[B] = CONFIRMED; term[B] = 1; owner[B] = O;
    held = ONE(O) | ONE(B);
    list[O] = ONE(B);
    for (k : 0 .. PROCESSES - 1) { from[k] = NOBODY }
#if HEIRS > 0
    for (k : 0 .. PROCESSES - 1) { heir[k] = NOBODY }
#endif
#ifdef NO_COPY
    produced = true;
#else
#ifndef LATE_COPY
    produced = true; copy = true; copy_owner = O; copy_term = 1;
    copy_at[O] = REPORTED;
#endif
#endif
    k = 0
  }
  atomic {
    run Process(O);
    run Process(P);
    run Process(B);
#if PROCESSES > 3
    run Process(3);
#endif
    run Agent(A);
    run World();
    run End()
  }
}
