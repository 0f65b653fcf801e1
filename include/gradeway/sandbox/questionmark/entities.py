"""The entity sets of the Delivery service, as far as this sandbox has them.

Source: Questionmark, Delivery OData API, the reference page of each feed. A property's order is
that of the vendor's printed answers where there are any.
"""

from __future__ import annotations

from gradeway.sandbox.questionmark.model import Children, Closure, EntitySet, Link, Reference, entity_set

OWNED = "Administrators.Groups"
MEMBERS = "Groups.Participants"
SCHEDULABLE = "Groups.SchedulableAssessments"
SUB_GROUPS = "Groups.SubGroups"
STAFFED = "Administrators.TestCenters"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _strings(names: str, numbers: range = range(0)) -> str:
    words = names.split()
    return " ".join(f"{word}:String" for word in words + [f"{words[-1]}{number}" for number in numbers])


ADMINISTRATORS = entity_set(
    "Administrators",
    "Administrator",
    "Password:String ID:Int32! " + _strings("Name FirstName LastName Department Email SsoId Url AlternateName"),
    {"Groups": Link("Groups", OWNED), "TestCenters": Link("TestCenters", STAFFED)},
    filters="ID Name",
    ordered=True,
    absent="POST PATCH DELETE Roles Upsert CheckPassword AllGroups ActionableSchedulesForObservation",
)

ASSESSMENTS = entity_set(
    "Assessments",
    "Assessment",
    "ID:Int64! Revision:Int32! Name:String Language:String Description:String Author:String CreatedDateTime:DateTime!"
    " Editor:String ModifiedDateTime:DateTime! Base:Boolean! TimeLimit:Int32 IsSecure:Boolean! SaveAnswers:Boolean!"
    " RulesOfConductID:Int32 Type:Int16",
    {"Results": Children("Results", "AssessmentID"), "Groups": Link("Groups", SCHEDULABLE, reverse=True)},
    filters="ID Name",
    ordered=True,
    absent="AssessmentOutcomes AssessmentTranslations AssessmentSnapshots RulesOfConduct",
)

ATTEMPTS = entity_set(
    "Attempts",
    "Attempt",
    "ID:Int32! ExternalAttemptID:String! ParticipantFacingQMLobbyUrl:String ProctorFacingQMControlsWidgetUrl:String"
    " UnlockCodeExpiresDateTime:DateTime ParticipantID:Int32! AssessmentID:Int64! AssessmentSnapshotID:Int32"
    " ScheduleID:Int32 AttemptNumber:Int32 ResultID:Int32 LockStatus:Boolean! LockRequired:Boolean!"
    " ParticipantFacingProctorSystemWidgetUrl:String LastModifiedDateTime:DateTime! Language:String"
    " ParticipantSystemCheckUrl:String UnlockCode:String AttemptListID:Int32 MonitoringTypeID:Int32"
    " NextBranchedAttemptID:Int32 ReviewUrl:String Disabled:Boolean!",
    {
        "Result": Reference("Results", "ResultID"),
        "Schedule": Reference("Schedules", "ScheduleID"),
        "MonitoringType": Reference("MonitoringTypes", "MonitoringTypeID"),
        "AttemptMetadata": Children("AttemptMetadata", "AttemptID"),
    },
    filters="ID ExternalAttemptID ScheduleID AttemptListID",
    searched="ParticipantID",
    absent="POST PATCH BranchedResults Appointments AnswerUpload AttemptList SessionAuditLog",
)

ATTEMPT_METADATA = entity_set(
    "AttemptMetadata",
    "AttemptMetadata",
    "ID:Int32! AttemptID:Int32! Key:String! Value:String!",
    {"Attempt": Reference("Attempts", "AttemptID")},
    filters="ID AttemptID",
    absent="POST",
)

GROUPS = entity_set(
    "Groups",
    "Group",
    "ID:Int32! Name:String Description:String RootGroupID:Int32! DefaultTestCenterId:Int32",
    {
        "SchedulableAssessments": Link("Assessments", SCHEDULABLE),
        "Participants": Link("Participants", MEMBERS),
        "Administrators": Link("Administrators", OWNED, reverse=True),
        "SubGroups": Link("Groups", SUB_GROUPS),
        "ParentGroup": Link("Groups", SUB_GROUPS, reverse=True, many=False),
        "AncestorGroups": Closure("Groups", SUB_GROUPS, reverse=True),
        "DescendantGroups": Closure("Groups", SUB_GROUPS),
        "DefaultTestCenter": Reference("TestCenters", "DefaultTestCenterId"),
    },
    filters="ID Name RootGroupID",
    ordered=True,
    absent="POST DELETE PrintBatches",
)

MONITORING_TYPES = entity_set(
    "MonitoringTypes",
    "MonitoringType",
    "ID:Int32! Name:String RequireQSB:Boolean! RequireDeviceEvents:Boolean! SystemCheckUrl:String"
    " ProctoringProviderId:Int32 ProctoringProviderOptions:String RequireTestCenter:Boolean Disabled:Boolean"
    " RulesOfConductID:Int32",
    {},
    filters="ID Name",
    absent="ProctoringProvider RulesOfConduct",
)

PARTICIPANTS = entity_set(
    "Participants",
    "Participant",
    "Password:String ID:Int32! "
    + _strings("Name FirstName LastName MiddleName ")
    + " "
    + " ".join(
        _strings(f"{which}Address1 {which}Address2 {which}City {which}State {which}ZIPCode {which}Country")
        + " "
        + _strings(f"{which}Phone {which}Fax {which}Email")
        for which in ("Primary", "Secondary")
    )
    + " "
    + _strings("Salutation OrganizationName Department Title AssistantName ManagerName Gender URL")
    + " "
    + _strings("Details", range(1, 21))
    + " "
    + _strings("DateOfBirth PreferredLang PreferredTimezone SsoId")
    + " RegistrationDateTime:DateTime!",
    {
        "Groups": Link("Groups", MEMBERS, reverse=True),
        "Schedules": Children("Schedules", "ParticipantID"),
    },
    filters="ID Name",
    ordered=True,
    absent="POST PATCH DELETE CheckPassword SendWelcomeEmail",
)

RESULTS = entity_set(
    "Results",
    "Result",
    "ID:Int32! AssessmentID:Int64! ParticipantName:String GroupName:String ParticipantDetails:String Status:Int16"
    " MaxScore:Int32 TotalScore:Int32 ScoreBandTitle:String PercentageScore:Int16 WhenFinished:Bare WhenStarted:Bare"
    " ExtraTime:Int32 TestCenterName:String "
    + " ".join(f"Special{number}:String" for number in range(1, 11))
    + " StillGoing:Boolean TimeTaken:Int32 ScheduleName:String FirstName:String LastName:String AttemptId:Int32",
    {"Assessment": Reference("Assessments", "AssessmentID"), "Attempt": Reference("Attempts", "AttemptId")},
    filters="ID AssessmentID ParticipantName GroupName WhenFinished",
    ordered=True,
    absent="PATCH MERGE PUT Answers ScoringTasks TopicScores Purge PurgeResultsByParticipantName"
    " PurgeParticipantAndResultsByParticipantName PurgeResultsByAssessmentId PurgeResultsByRetentionPolicy",
)

SCHEDULES = entity_set(
    "Schedules",
    "Schedule",
    "ID:Int32! ParentScheduleID:Int32 ExternalID:String Name:String AssessmentID:Int64! Language:String GroupID:Int32"
    " ParticipantID:Int32 StartFrom:DateTime StartTo:DateTime ResumeTo:DateTime ReportFrom:DateTime ReportTo:DateTime"
    " ExtraTime:Int32 MaxAttempts:Int32 MonitoringTypeID:Int32! ObserverID:Int32 Created:DateTime! Modified:DateTime!"
    " Hidden:Boolean! Disabled:Boolean! ResumeAllowed:Boolean! ObserverInitiated:Boolean! TestCenterID:Int32"
    " ReportTemplateName:String ReportedResult:String CreatedBy:String ModifiedBy:String RulesOfConductID:Int32",
    {
        "Assessment": Reference("Assessments", "AssessmentID"),
        "Participant": Reference("Participants", "ParticipantID"),
        "Group": Reference("Groups", "GroupID"),
        "ParentSchedule": Reference("Schedules", "ParentScheduleID"),
        "ExceptionSchedules": Children("Schedules", "ParentScheduleID"),
        "MonitoringType": Reference("MonitoringTypes", "MonitoringTypeID"),
        "TestCenter": Reference("TestCenters", "TestCenterID"),
        "Observer": Reference("Administrators", "ObserverID"),
        "ScheduleMetadata": Children("ScheduleMetadata", "ScheduleID"),
        "Attempts": Children("Attempts", "ScheduleID"),
    },
    filters="ID ParticipantID GroupID StartFrom StartTo MonitoringTypeID TestCenterID",
    verbs="POST PATCH",
    absent="RulesOfConduct CanReview GetReviewUrl",
)

SCHEDULE_METADATA = entity_set(
    "ScheduleMetadata",
    "ScheduleMetadata",
    "ID:Int32! ScheduleID:Int32! Key:String! Value:String!",
    {"Schedule": Reference("Schedules", "ScheduleID")},
    verbs="POST",
)

TEST_CENTERS = entity_set(
    "TestCenters",
    "TestCenter",
    "ID:Int32! Label:String Name:String Department:String Location:String Active:Boolean TimeZone:String"
    " SupportedTechnology:Int16 Capacity:Int32 "
    + _strings("Address1 Address2 City State ZipCode Country Phone Fax Logo AdminEmail Properties"),
    {
        "Administrators": Link("Administrators", STAFFED, reverse=True),
        "Schedules": Children("Schedules", "TestCenterID"),
        "Groups": Children("Groups", "DefaultTestCenterId"),
    },
    filters="ID Name",
    absent="Open Close AttemptLists",
)

SETS: dict[str, EntitySet] = {
    found.name: found
    for found in (
        ADMINISTRATORS,
        ASSESSMENTS,
        ATTEMPTS,
        ATTEMPT_METADATA,
        GROUPS,
        MONITORING_TYPES,
        PARTICIPANTS,
        RESULTS,
        SCHEDULES,
        SCHEDULE_METADATA,
        TEST_CENTERS,
    )
}
ABSENT_SETS = _words(
    "Answers AnswerUploads AssessmentSnapshots AssessmentSnapshotsData AttemptLists Dimensions DimensionScores"
    " PrintBatches ProctoringProviders Questions QuestionTranslations ResultsAuditLog Rubrics ScoringResults"
    " ScoringTasks SessionAuditLog TimeZones TopicScores"
)
